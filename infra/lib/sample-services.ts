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
import { registryPath } from "./names.ts";
import { attach, type Right } from "./policy.ts";
import { InvalidProps } from "./problems.ts";

const SERVICES = ["flight-service", "reservation-service", "flight-bff"] as const;
/** The one that asks the others, which it finds in the service registry. */
const FRONT = "flight-bff";
const ALIAS = "live";

/** Where the archives are, and for which environment. */
export interface SampleServicesProps {
  /** The environment's name: `staging` makes `StagingFlightService` and so on. */
  readonly environment: string;
  /** The folder with `<service>-<architecture>.zip` of each service, as `cargo xtask package --services` makes them. */
  readonly archives: string;
  /** @default Architecture.ARM_64 */
  readonly architecture?: Architecture;
}

/** Three functions, each with an alias `live` on its first version, and a bucket for the archives of the next ones. */
export class SampleServices extends Construct {
  /** Versioned, as releases of archives have to name an object's version. */
  readonly artifacts: Bucket;

  constructor(scope: Construct, id: string, props: SampleServicesProps) {
    super(scope, id);
    const architecture = props.architecture ?? Architecture.ARM_64;
    const suffix = architecture === Architecture.ARM_64 ? "arm64" : "x86_64";
    const archive = (service: string) => `${props.archives}/${service}-${suffix}.zip`;
    const problems = SERVICES.flatMap((service) => archiveProblems(archive(service), architecture));
    if (problems.length > 0) {
      throw new InvalidProps(
        "SampleServices",
        problems.map((problem) => problem.replace("xtask package", "xtask package --services")),
      );
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
    for (const service of SERVICES) {
      this.service(service, props.environment, archive(service), architecture);
    }
    new CfnOutput(this, "ArtifactsBucket", {
      description: "Where archives of further releases go: `s3Bucket` in services.yaml",
      value: this.artifacts.bucketName,
    });
  }

  private service(service: string, environment: string, archive: string, architecture: Architecture): void {
    const functionName = `${pascal(environment)}${pascal(service)}`;
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
      this.rights(service, environment, logGroup),
    );
    const lambda = new LambdaFunction(this, service, {
      functionName,
      description: `Sample service of Tidegate: ${service}`,
      runtime: Runtime.PROVIDED_AL2023,
      handler: "bootstrap",
      code: codeOf(archive),
      architecture,
      memorySize: 128,
      timeout: Duration.seconds(10),
      role: role.withoutPolicyUpdates(),
      logGroup,
      environment: service === FRONT ? { SERVICE_REGISTRY: registryPath(environment) } : {},
    });
    lambda.node.addDependency(...policies);
    // Not `currentVersion`: with that, a later deployment would move the alias, which is Tidegate's from its first release on.
    const first = new CfnVersion(this, `${service}-first`, { functionName: lambda.functionName, description: "first" });
    const version = Version.fromVersionArn(this, `${service}-first-version`, first.ref);
    const alias = new Alias(this, `${service}-live`, { aliasName: ALIAS, version });
    new StringParameter(this, `${service}-registry`, {
      parameterName: `${registryPath(environment)}/${service}`,
      description: "The service registry: written by Tidegate from the first release on",
      stringValue: Stack.of(this).toJsonString({
        schemaVersion: 1,
        aliasArn: alias.functionArn,
        version: first.attrVersion,
      }),
    });
  }

  private rights(service: string, environment: string, logGroup: LogGroup): Right[] {
    const { partition, region, account } = Stack.of(this);
    const logs = new PolicyStatement({
      actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
      resources: [`${logGroup.logGroupArn}:*`],
    });
    const ofOthers = (action: string, arn: (other: string) => string) => ({
      statement: new PolicyStatement({
        actions: [action],
        resources: SERVICES.filter((other) => other !== FRONT).map((other) => `arn:${partition}:${arn(other)}`),
      }),
    });
    const own = { statement: logs, wildcard: "The streams of its own log group, which Lambda names." };
    if (service !== FRONT) {
      return [own];
    }
    const parameter = (other: string) => `ssm:${region}:${account}:parameter${registryPath(environment)}/${other}`;
    const alias = (other: string) =>
      `lambda:${region}:${account}:function:${pascal(environment)}${pascal(other)}:${ALIAS}`;
    return [own, ofOthers("ssm:GetParameter", parameter), ofOthers("lambda:InvokeFunction", alias)];
  }
}

/** `flight-bff` is `FlightBff`. */
function pascal(name: string): string {
  return name
    .split("-")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}
