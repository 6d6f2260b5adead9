/** The controller's configuration in Parameter Store: what docs/configuration.md describes, made of the props. */
import { Arn, Stack } from "aws-cdk-lib";
import { StringParameter } from "aws-cdk-lib/aws-ssm";
import { Construct } from "constructs";
import { environmentRoleName, onCallInstallation, parameterPath } from "./names.ts";
import type { PlacedEnvironment } from "./places.ts";
import type { TidegateControllerProps } from "./props.ts";
import type { StateBucket } from "./state-bucket.ts";

/** The version of these documents' form that this construct writes. */
const SCHEMA_VERSION = 1;

/** One parameter for the installation, and one for each environment. */
export class Configuration extends Construct {
  /** The folder of all of them. */
  readonly path: string;

  constructor(
    scope: Construct,
    id: string,
    props: TidegateControllerProps,
    placed: readonly PlacedEnvironment[],
    state: StateBucket,
    onCall: boolean,
  ) {
    super(scope, id);
    const installation = props.installation ?? "main";
    this.path = parameterPath(onCall ? onCallInstallation(installation) : installation);
    this.write("Installation", "installation", "What all environments share", {
      schemaVersion: SCHEMA_VERSION,
      repository: repository(props),
      state: { bucket: state.bucket.bucketName, prefix: state.folder.replace(/\/$/, "") },
      metricNamespace: props.metricNamespace,
    });
    for (const environment of placed) {
      const document = describe(this, installation, environment, onCall);
      this.write(
        `Environment-${environment.name}`,
        `environments/${environment.name}`,
        "Where it is, and its limits",
        document,
      );
    }
  }

  private write(id: string, name: string, what: string, document: Record<string, unknown>): void {
    new StringParameter(this, id, {
      parameterName: `${this.path}/${name}`,
      description: `Tidegate: ${what}. Written by the stack ${Stack.of(this).stackName}`,
      stringValue: Stack.of(this).toJsonString(document),
    });
  }
}

/** But the key, which is for policies alone. */
function repository({
  repository: { url, branch, credential, githubApp, username, writeBack },
}: TidegateControllerProps) {
  return { url, branch, credential, githubApp, username, writeBack };
}

function describe(
  scope: Construct,
  installation: string,
  { name, props, account, region, ownAccount }: PlacedEnvironment,
  onCall: boolean,
): Record<string, unknown> {
  const { allowedFunctions, registries, buckets, allowHistoryRewrite } = props;
  const { versionHousekeeping, massChange, callBudget, registry } = props;
  const roleArn = Arn.format(
    {
      service: "iam",
      region: "",
      account,
      resource: "role",
      resourceName: environmentRoleName(installation, name, onCall),
    },
    Stack.of(scope),
  );
  return {
    schemaVersion: SCHEMA_VERSION,
    region,
    ...(ownAccount ? {} : { roleArn, externalId: props.externalId }),
    allowedFunctions,
    registries,
    buckets,
    allowHistoryRewrite,
    versionHousekeeping,
    massChange,
    callBudget,
    registry,
  };
}
