/** One installation of Tidegate: what a team imports into its own stack. */
import { Annotations, CfnOutput, Stack, Tags } from "aws-cdk-lib";
import type { Alarm } from "aws-cdk-lib/aws-cloudwatch";
import { Grant, type IGrantable } from "aws-cdk-lib/aws-iam";
import { Architecture, type Code, type IFunction } from "aws-cdk-lib/aws-lambda";
import { RetentionDays } from "aws-cdk-lib/aws-logs";
import type { Bucket } from "aws-cdk-lib/aws-s3";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import { Construct } from "constructs";
import { Alarms } from "./alarms.ts";
import { archiveProblems, codeOf } from "./archive.ts";
import { Configuration } from "./configuration.ts";
import { Dashboard } from "./dashboard.ts";
import { ControllerFunction } from "./function.ts";
import { Hints } from "./hints.ts";
import { controllerName, environmentRoleName, forwarderRoleName, onCallInstallation, onCallName } from "./names.ts";
import type { Role } from "./permissions.ts";
import { place, placeProblems, type PlacedEnvironment } from "./places.ts";
import { InvalidProps, problemsOf, warningsOf } from "./problems.ts";
import { secretOf, type TidegateControllerProps } from "./props.ts";
import { sharedDocuments } from "./registry.ts";
import { environmentRights, homeRights, type HomeResources } from "./rights.ts";
import { Schedules } from "./schedules.ts";
import { StateBucket } from "./state-bucket.ts";

/** What the on-call function takes: what is needed at night, and reading. */
export const ON_CALL_COMMANDS = ["rollback", "abort", "pause", "status", "history", "record"];
const MEMORY_MB = 256;

/**
 * A controller with everything around it: function, schedules, state, configuration, hints, the on-call function, alarms and
 * a dashboard. Props that cannot work are told at synthesis, all at once.
 *
 * @example
 * new TidegateController(this, "Tidegate", {
 *   archive: "target/package/tidegate-lambda-arm64.zip",
 *   repository: { url: "https://github.com/acme/releases.git" },
 *   environments: { staging: { allowedFunctions: ["Staging*"], buckets: ["acme-artifacts"] } },
 * });
 */
export class TidegateController extends Construct {
  /** The scheduled function; it takes every command. */
  readonly function: IFunction;
  /** The function for who is on call, where there is one. */
  readonly onCallFunction: IFunction | undefined;
  /** Where state and history are. */
  readonly stateBucket: Bucket;
  /** Where alarms are sent. */
  readonly alarmTopic: ITopic;
  /** Every alarm. */
  readonly alarms: readonly Alarm[];

  readonly #installation: string;
  readonly #props: TidegateControllerProps;
  readonly #placed: readonly PlacedEnvironment[];
  readonly #state: StateBucket;
  readonly #code: Code;
  readonly #architecture: Architecture;

  constructor(scope: Construct, id: string, props: TidegateControllerProps) {
    super(scope, id);
    this.#props = props;
    this.#installation = props.installation ?? "main";
    this.#architecture = props.architecture ?? Architecture.ARM_64;
    this.#placed = place(Stack.of(this), props);
    const problems = [
      ...archiveProblems(props.archive, this.#architecture),
      ...problemsOf(props),
      ...placeProblems(this.#placed),
      ...sharedDocuments(this.#placed),
    ];
    if (problems.length > 0) {
      throw new InvalidProps("TidegateController", problems);
    }
    for (const warning of warningsOf(props)) {
      Annotations.of(this).addWarningV2("tidegate:props", warning);
    }
    this.#code = codeOf(props.archive);
    this.#state = new StateBucket(this, "State", this.#installation, props.state);
    this.stateBucket = this.#state.bucket;

    const controller = this.run("Controller", "controller");
    this.function = controller.function;
    new Schedules(this, "Schedules", this.#installation, this.#placed, controller.function);
    const hints = props.hints === false ? undefined : this.listen(controller);
    this.grant(controller, "controller", hints);

    const onCall = props.onCall === false ? undefined : this.run("OnCall", "onCall");
    this.onCallFunction = onCall?.function;
    if (onCall !== undefined) {
      this.grant(onCall, "onCall", undefined);
    }

    const watching = new Alarms(this, "Alarms", {
      installation: this.#installation,
      namespace: this.namespace,
      environments: this.#placed,
      functions: [controller.function, ...(onCall === undefined ? [] : [onCall.function])],
      deadLetters: hints?.deadLetters,
      alarms: props.alarms ?? {},
    });
    this.alarmTopic = watching.topic;
    this.alarms = watching.all;
    if (props.dashboard !== false) {
      new Dashboard(this, "Dashboard", {
        name: controllerName(this.#installation),
        namespace: this.namespace,
        environments: this.#placed,
        controller: controller.function,
        memoryMb: MEMORY_MB,
        architecture: this.#architecture === Architecture.ARM_64 ? "arm64" : "x86_64",
        alarms: watching.all,
      });
    }
    this.tell();
    Tags.of(this).add("tidegate:installation", this.#installation);
  }

  /** Lets somebody send every command: `sync`, `promote`, `rollback` and all others. */
  grantCommands(grantee: IGrantable): Grant {
    return this.function.grantInvoke(grantee);
  }

  /** Lets somebody send what is needed at night: `rollback`, `abort`, `pause`, and reading. */
  grantOnCall(grantee: IGrantable): Grant {
    if (this.onCallFunction === undefined) {
      throw new InvalidProps("grantOnCall", ["there is no on-call function: take `onCall: false` out of the props"]);
    }
    return this.onCallFunction.grantInvoke(grantee);
  }

  private get namespace(): string {
    return this.#props.metricNamespace ?? "Tidegate";
  }

  /** A function with its own configuration: who is on call reaches other accounts through roles of their own. */
  private run(id: string, role: Exclude<Role, "person">): ControllerFunction {
    const onCall = role === "onCall";
    const installation = onCall ? onCallInstallation(this.#installation) : this.#installation;
    new Configuration(this, `${id}Configuration`, this.#props, this.#placed, this.#state, onCall);
    // The copy of the configuration: each function keeps its own, and would write over the other's.
    const copies = `${this.#state.folder}${onCall ? "on-call" : ""}`.replace(/\/$/, "");
    return new ControllerFunction(this, id, {
      functionName: controllerName(installation),
      description: onCall
        ? `Tidegate ${this.#installation}: rollback, abort and pause, for who is on call`
        : `Tidegate ${this.#installation}: brings Lambda functions to what Git says`,
      code: this.#code,
      architecture: this.#architecture,
      memoryMb: MEMORY_MB,
      environment: {
        TIDEGATE_INSTALLATION: installation,
        TIDEGATE_STATE: `s3://${this.#state.bucket.bucketName}${copies === "" ? "" : `/${copies}`}`,
        ...(onCall ? { TIDEGATE_COMMANDS: ON_CALL_COMMANDS.join(",") } : {}),
      },
      logRetention: this.#props.logRetention ?? RetentionDays.ONE_MONTH,
    });
  }

  private listen(controller: ControllerFunction): Hints {
    const { partition, account } = Stack.of(this);
    const away = this.#placed.filter(({ atHome }) => !atHome);
    const places = new Map(away.map((environment) => [`${environment.account} ${environment.region}`, environment]));
    return new Hints(this, "Hints", {
      installation: this.#installation,
      controller: controller.function,
      ownRoleArn: `arn:${partition}:iam::${account}:role/${controllerName(this.#installation)}`,
      from: [...places.values()].map((place) => ({
        account: place.account,
        region: place.region,
        forwarderArn: `arn:${partition}:iam::${place.account}:role/${forwarderRoleName(this.#installation, place.region)}`,
      })),
    });
  }

  private grant(to: ControllerFunction, role: Exclude<Role, "person">, hints: Hints | undefined): void {
    const own = [controllerName(this.#installation), onCallName(this.#installation)].flatMap((name) => {
      const arn = ControllerFunction.arn(this, name);
      return [arn, `${arn}:*`];
    });
    const here = this.#placed.filter(({ ownAccount }) => ownAccount);
    const { allow, deny } = environmentRights(this, role, here, own);
    const home = homeRights(role, this.home(to, role, hints), this.namespace);
    to.grant({ Home: home, ...(allow.length > 0 ? { Environments: allow } : {}), Denied: deny });
  }

  private home(to: ControllerFunction, role: Exclude<Role, "person">, hints: Hints | undefined): HomeResources {
    const { partition, account, region } = Stack.of(this);
    const onCall = role === "onCall";
    const installation = onCall ? onCallInstallation(this.#installation) : this.#installation;
    const parameter = (name: string) => `arn:${partition}:ssm:${region}:${account}:parameter${name}`;
    const credential = secretOf(this.#props.repository);
    const { credentialKeyArn } = this.#props.repository;
    const { bucket, key } = this.#state;
    const away = this.#placed.filter(({ ownAccount }) => !ownAccount);
    const folder = `/tidegate/${installation}`;
    return {
      stateBucket: [bucket.bucketArn],
      stateObjects: [this.#state.objects()],
      stateDocuments: [this.#state.objects("state/")],
      stateKey: key === undefined ? [] : [key.keyArn],
      configuration: [parameter(folder), parameter(`${folder}/*`)],
      credential: credential === undefined ? [] : [parameter(credential)],
      // The account's own `aws/ssm`, where there is no other, lets everybody decrypt who may read the parameter.
      credentialKey:
        credential === undefined ? [] : [credentialKeyArn ?? key?.keyArn].filter((arn) => arn !== undefined),
      metrics: ["*"],
      environmentRoles: away.map(
        (environment) =>
          `arn:${partition}:iam::${environment.account}:role/${environmentRoleName(this.#installation, environment.name, onCall)}`,
      ),
      logGroup: [to.logGroup.logGroupArn, `${to.logGroup.logGroupArn}:*`],
      hintQueue: hints === undefined ? [] : [hints.queue.queueArn],
      traces: ["*"],
    };
  }

  private tell(): void {
    const { githubApp, credentialKeyArn } = this.#props.repository;
    const credential = secretOf(this.#props.repository);
    const output = (id: string, description: string, value: string) => new CfnOutput(this, id, { description, value });
    output("FunctionName", "What `tidegate --function` takes", this.function.functionName);
    output("StateBucketName", "Where state and history are", this.stateBucket.bucketName);
    output("AlarmTopicArn", "Where alarms are sent", this.alarmTopic.topicArn);
    if (credential !== undefined) {
      const key = credentialKeyArn ?? this.#state.key?.keyArn;
      const withKey = key === undefined ? "" : ` --key-id ${key}`;
      const put = `aws ssm put-parameter --region ${Stack.of(this).region} --name ${credential} --type SecureString${withKey}`;
      output(
        "CredentialCommand",
        githubApp === undefined
          ? "Makes the release repository's credential: CloudFormation cannot. The token is read from the terminal"
          : "Stores the GitHub App's private key: CloudFormation cannot. KEY.pem is the file that GitHub gave",
        githubApp === undefined
          ? `read -rs TOKEN && printf %s "$TOKEN" | ${put} --value file:///dev/stdin`
          : `${put} --value file://KEY.pem`,
      );
    }
  }
}
