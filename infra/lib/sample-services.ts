/** The sample services of `tests/services`, so that a newcomer has something to manage in a real account. */
import { CfnOutput, Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Alias, Architecture, CfnVersion, Function as LambdaFunction, Runtime, Version } from "aws-cdk-lib/aws-lambda";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from "aws-cdk-lib/aws-s3";
import { StringParameter } from "aws-cdk-lib/aws-ssm";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import { archiveProblems, codeOf } from "./archive.ts";
import { attach, type Right } from "./policy.ts";
import { InvalidProps } from "./problems.ts";
import type { RegistryProps } from "./props.ts";
import { registryOf, type Registry } from "./registry.ts";

const SERVICES = ["flight-service", "reservation-service", "flight-bff"] as const;
/** The one that asks the others, which it finds in the service registry. */
const FRONT = "flight-bff";
const OTHERS = SERVICES.filter((service) => service !== FRONT);
const ALIAS = "live";

/** Where the archives are, and for which environment. */
export interface SampleServicesProps {
  /** The environment's name: `staging` makes `StagingFlightService` and so on. */
  readonly environment: string;
  /** The folder with `<service>-<architecture>.zip` of each service, as `cargo xtask package --services` makes them. */
  readonly archives: string;
  /** @default Architecture.ARM_64 */
  readonly architecture?: Architecture;
  /**
   * As the environment has it.
   *
   * @default { form: "perService", path: "/services" }
   */
  readonly registry?: RegistryProps;
}

/** A service as it was deployed first. */
interface Live {
  readonly service: string;
  readonly aliasArn: string;
  readonly version: string;
}

/** Three functions, each with an alias `live` on its first version, and a bucket for the archives of the next ones. */
export class SampleServices extends Construct {
  /** Versioned, as releases of archives have to name an object's version. */
  readonly artifacts: Bucket;

  readonly #environment: string;
  readonly #architecture: Architecture;
  readonly #registry: Registry;

  constructor(scope: Construct, id: string, props: SampleServicesProps) {
    super(scope, id);
    this.#environment = props.environment;
    this.#architecture = props.architecture ?? Architecture.ARM_64;
    this.#registry = registryOf(props.environment, props.registry);
    const suffix = this.#architecture === Architecture.ARM_64 ? "arm64" : "x86_64";
    const archive = (service: string) => `${props.archives}/${service}-${suffix}.zip`;
    const problems = SERVICES.flatMap((service) => archiveProblems(archive(service), this.#architecture)).map(
      (problem) => problem.replace("xtask package", "xtask package --services"),
    );
    if (props.registry?.form === "none") {
      problems.push(
        `\`environments.${props.environment}.registry\` is \`none\`, and \`${FRONT}\` finds the others in one: give it another form, or leave \`sampleServices\` out`,
      );
    }
    if (problems.length > 0) {
      throw new InvalidProps("SampleServices", problems);
    }
    this.artifacts = new Bucket(this, "Artifacts", {
      encryption: BucketEncryption.S3_MANAGED,
      versioned: true,
      enforceSSL: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    acknowledge(this.artifacts, "AwsSolutions-S1", "Holds sample archives alone: nobody asks who read one.");
    this.register(SERVICES.map((service) => this.service(service, archive(service))));
    new CfnOutput(this, "ArtifactsBucket", {
      description: "Where archives of further releases go: `s3Bucket` in services.yaml",
      value: this.artifacts.bucketName,
    });
  }

  private service(service: string, archive: string): Live {
    const functionName = this.functionName(service);
    const logGroup = new LogGroup(this, `${service}-logs`, {
      logGroupName: `/aws/lambda/${functionName}`,
      retention: RetentionDays.ONE_WEEK,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, `${service}-role`, { assumedBy: new ServicePrincipal("lambda.amazonaws.com") });
    const policies = attach(
      this,
      `${service}-policy`,
      role,
      `What ${functionName} may do`,
      this.rights(service, logGroup),
    );
    const lambda = new LambdaFunction(this, service, {
      functionName,
      description: `Sample service of Tidegate: ${service}`,
      runtime: Runtime.PROVIDED_AL2023,
      handler: "bootstrap",
      code: codeOf(archive),
      architecture: this.#architecture,
      memorySize: 128,
      timeout: Duration.seconds(10),
      role: role.withoutPolicyUpdates(),
      logGroup,
      environment: service === FRONT ? this.lookup(OTHERS).environment : {},
    });
    lambda.node.addDependency(...policies);
    // Not `currentVersion`: with that, a later deployment would move the alias, which is Tidegate's from its first release on.
    const first = new CfnVersion(this, `${service}-first`, { functionName: lambda.functionName, description: "first" });
    const version = Version.fromVersionArn(this, `${service}-first-version`, first.ref);
    const alias = new Alias(this, `${service}-live`, { aliasName: ALIAS, version });
    return { service, aliasArn: alias.functionArn, version: first.attrVersion };
  }

  /** The service registry as it is before the first release. */
  private register(all: readonly Live[]): void {
    const write = (id: string, parameterName: string, value: object) =>
      new StringParameter(this, id, {
        parameterName,
        description: "The service registry: written by Tidegate from the first release on",
        stringValue: Stack.of(this).toJsonString({ schemaVersion: 1, ...value }),
      });
    if (this.#registry.form === "document") {
      const services = Object.fromEntries(all.map(({ service, ...live }) => [service, live]));
      write("registry", this.#registry.name, { environment: this.#environment, services });
    } else if (this.#registry.form === "perService") {
      for (const { service, ...live } of all) {
        write(`${service}-registry`, `${this.#registry.folder}/${service}`, live);
      }
    }
  }

  /** The parameters that say where these services are, and the variable that names them. */
  private lookup(services: readonly string[]): { parameters: string[]; environment: Record<string, string> } {
    switch (this.#registry.form) {
      case "perService": {
        const { folder } = this.#registry;
        const parameters = services.map((service) => `${folder}/${service}`);
        return { parameters, environment: { SERVICE_REGISTRY: folder } };
      }
      case "document": {
        const { name } = this.#registry;
        return { parameters: [name], environment: { SERVICE_REGISTRY_DOCUMENT: name } };
      }
      case "none":
        return { parameters: [], environment: {} };
    }
  }

  private functionName(service: string): string {
    return `${pascal(this.#environment)}${pascal(service)}`;
  }

  private rights(service: string, logGroup: LogGroup): Right[] {
    const { partition, region, account } = Stack.of(this);
    const logs = new PolicyStatement({
      actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
      resources: [`${logGroup.logGroupArn}:*`],
    });
    const may = (action: string, arns: readonly string[]) => ({
      statement: new PolicyStatement({ actions: [action], resources: arns.map((arn) => `arn:${partition}:${arn}`) }),
    });
    const own = { statement: logs, wildcard: "The streams of its own log group, which Lambda names." };
    if (service !== FRONT) {
      return [own];
    }
    const parameters = this.lookup(OTHERS).parameters.map((name) => `ssm:${region}:${account}:parameter${name}`);
    const aliases = OTHERS.map((other) => `lambda:${region}:${account}:function:${this.functionName(other)}:${ALIAS}`);
    return [own, may("ssm:GetParameter", parameters), may("lambda:InvokeFunction", aliases)];
  }
}

/** `flight-bff` is `FlightBff`. */
function pascal(name: string): string {
  return name
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}
