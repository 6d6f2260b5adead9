/** The app: of one typed configuration, every stack that it takes, in every account and region. */
import { App, Stack, Tags, type AppProps, type Environment } from "aws-cdk-lib";
import type { Architecture } from "aws-cdk-lib/aws-lambda";
import { TidegateController } from "./controller.ts";
import type { TidegateControllerProps } from "./props.ts";
import { SampleServices, type SampleServicesProps } from "./sample-services.ts";
import { TidegateTarget } from "./target.ts";

/** What `tidegate.config.ts` says. */
export interface TidegateConfig extends TidegateControllerProps {
  /**
   * Where the controller runs. It has to be said where environments are in other accounts or regions.
   *
   * @default - where the credentials of who deploys lead
   */
  readonly home?: { readonly account: string; readonly region: string };
  /**
   * Whether the controller's stack is protected against being deleted by accident.
   *
   * @default true
   */
  readonly terminationProtection?: boolean;
  /** Tags of everything, beside Tidegate's own. */
  readonly tags?: Readonly<Record<string, string>>;
  /**
   * The sample services, for one of the environments at home: the folder of their archives.
   *
   * @default - none
   */
  readonly sampleServices?: {
    readonly environment: string;
    readonly archives: string;
    readonly architecture?: Architecture;
  };
}

/** How CDK behaves, whoever runs it: here and not in `cdk.json`, so that tests see what is deployed. */
const FLAGS = {
  "@aws-cdk/core:defaultCrossStackReferences": "strong",
  "@aws-cdk/core:validateAgainstDefaultRules": true,
};

/** All stacks of an installation. */
export function tidegateApp(config: TidegateConfig, appProps?: AppProps): App {
  const { home, tags, sampleServices, terminationProtection = true, ...props } = config;
  const app = new App({ context: FLAGS, ...appProps });
  const installation = props.installation ?? "main";
  const env: Environment =
    home ?? known({ account: process.env["CDK_DEFAULT_ACCOUNT"], region: process.env["CDK_DEFAULT_REGION"] });
  const samples =
    sampleServices === undefined
      ? undefined
      : new SampleServices(
          new Stack(app, `tidegate-${installation}-sample-services`, {
            env,
            description: "Sample services for Tidegate to manage",
          }),
          "Services",
          withRegistry(sampleServices, props),
        );
  const stack = new Stack(app, `tidegate-${installation}`, {
    env,
    description: "Tidegate: GitOps for AWS Lambda",
    terminationProtection,
  });
  new TidegateController(stack, "Tidegate", withArtifacts(props, sampleServices?.environment, samples));
  if (home !== undefined) {
    for (const place of places(props, home)) {
      const target = new Stack(app, `tidegate-${installation}-${place.account}-${place.region}`, {
        env: place,
        description: `How Tidegate of account ${home.account} reaches its environments here`,
      });
      new TidegateTarget(target, "Target", { installation: props, home });
    }
  }
  for (const [key, value] of Object.entries({ application: "tidegate", ...tags })) {
    Tags.of(app).add(key, value);
  }
  return app;
}

/** The samples find each other where their environment has its service registry. */
function withRegistry(
  samples: NonNullable<TidegateConfig["sampleServices"]>,
  { environments }: TidegateControllerProps,
): SampleServicesProps {
  const registry = environments[samples.environment]?.registry;
  return { ...samples, ...(registry && { registry }) };
}

/** The sample's environment takes archives from the sample's bucket. */
function withArtifacts(
  props: TidegateControllerProps,
  name: string | undefined,
  samples: SampleServices | undefined,
): TidegateControllerProps {
  const environment = name === undefined ? undefined : props.environments[name];
  if (name === undefined || environment === undefined || samples === undefined) {
    return props;
  }
  const buckets = [...(environment.buckets ?? []), samples.artifacts.bucketName];
  return { ...props, environments: { ...props.environments, [name]: { ...environment, buckets } } };
}

/** Every account and region but home. */
function places(
  { environments }: TidegateControllerProps,
  home: { account: string; region: string },
): { account: string; region: string }[] {
  const all = new Map<string, { account: string; region: string }>();
  for (const { account = home.account, region = home.region } of Object.values(environments)) {
    if (account !== home.account || region !== home.region) {
      all.set(`${account} ${region}`, { account, region });
    }
  }
  return [...all.values()];
}

function known({ account, region }: { account: string | undefined; region: string | undefined }): Environment {
  return { ...(account && { account }), ...(region && { region }) };
}
