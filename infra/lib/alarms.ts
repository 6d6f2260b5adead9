/** When people are woken: an alarm for each way in which Tidegate can be of no use, each with a page that says what to do. */
import { Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { Alarm, ComparisonOperator, Metric, Stats, TreatMissingData, type IMetric } from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import { ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { Topic, type ITopic } from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import type { IQueue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { EVERY } from "./schedules.ts";
import { alarmPrefix } from "./names.ts";
import type { PlacedEnvironment } from "./places.ts";
import type { AlarmProps } from "./props.ts";
import { shardsOf } from "./shards.ts";

const MINUTE = Duration.minutes(1);
/** For how long there may be no successful sync. */
const SILENCE = Duration.minutes(5);
const PAGES = "https://github.com/tidegate/tidegate/blob/main/docs/operations/";

/** The pages, as their files are called. */
export type Page =
  | "no-successful-sync"
  | "sync-errors"
  | "drift-too-old"
  | "held-too-long"
  | "degraded-services"
  | "throttled"
  | "dead-letters";

export interface AlarmsProps {
  readonly installation: string;
  readonly namespace: string;
  readonly environments: readonly PlacedEnvironment[];
  /** Whose throttled invocations count. */
  readonly functions: readonly IFunction[];
  /** Where hints end that could not be followed. */
  readonly deadLetters: IQueue | undefined;
  readonly alarms: AlarmProps;
}

/** What one alarm looks at. */
interface Watch {
  readonly metric: IMetric;
  /** The alarm is for what is above it. */
  readonly above: number;
  /** How many periods are looked at. */
  readonly periods: number;
  /** How many of them have to be above; all, unless said. */
  readonly of?: number;
  readonly missing?: TreatMissingData;
  /** What it means, in a sentence. */
  readonly says: string;
}

/** All alarms, and the topic that they are sent to. */
export class Alarms extends Construct {
  readonly topic: ITopic;
  readonly all: Alarm[] = [];
  readonly #props: AlarmsProps;

  constructor(scope: Construct, id: string, props: AlarmsProps) {
    super(scope, id);
    this.#props = props;
    this.topic = props.alarms.topic ?? this.ownTopic();
    for (const email of props.alarms.emails ?? []) {
      this.topic.addSubscription(new EmailSubscription(email));
    }
    for (const environment of props.environments) {
      this.watchEnvironment(environment);
    }
    this.watchFunctions();
  }

  private watchEnvironment({ name, props }: PlacedEnvironment): void {
    const { driftOlderThan = Duration.hours(1), heldLongerThan = Duration.hours(24) } = this.#props.alarms;
    const every = props.every ?? EVERY;
    for (const shard of shardsOf(props.shards)) {
      const of = shard === undefined ? name : `part ${shard} of ${name}`;
      const where = { Environment: name, ...(shard && { Shard: shard }) };
      const metric = (metricName: string, statistic: string, period = every) =>
        new Metric({ namespace: this.#props.namespace, metricName, dimensionsMap: where, statistic, period });
      const watch = (page: Page, watched: Watch) => {
        this.alarm(page, shard === undefined ? name : `${name}.${shard.replace("/", "-")}`, watched);
      };
      watch("no-successful-sync", {
        metric: metric("SecondsSinceLastSuccessfulSync", Stats.MINIMUM),
        // A sync that succeeds says 0; no sync says nothing at all, which counts the same as a failed one.
        above: 0,
        periods: Math.max(2, Math.ceil(SILENCE.toSeconds() / every.toSeconds())),
        missing: TreatMissingData.BREACHING,
        says: `No sync of ${of} succeeded for ${Math.max(SILENCE.toMinutes(), 2 * every.toMinutes())} minutes: nothing is released or healed`,
      });
      watch("sync-errors", {
        metric: metric("SyncErrors", Stats.SUM),
        above: 0,
        periods: 5,
        of: 3,
        says: `Syncs of ${of} go on failing, as a whole or for single services`,
      });
      watch("drift-too-old", {
        metric: metric("OldestDriftSeconds", Stats.MAXIMUM),
        above: driftOlderThan.toSeconds(),
        periods: 1,
        says: `Something of ${of} is not as Git wants it for more than ${driftOlderThan.toHumanString()}, and nobody set it right`,
      });
      watch("held-too-long", {
        metric: metric("OldestHoldSeconds", Stats.MAXIMUM),
        above: heldLongerThan.toSeconds(),
        periods: 1,
        says: `A rolled back release of ${of} is held out for more than ${heldLongerThan.toHumanString()}: Git still names it`,
      });
      watch("throttled", {
        metric: metric("ThrottledCalls", Stats.SUM),
        // One throttled call halves the rate, and passes: only what goes on is worth waking somebody.
        above: 0,
        periods: 5,
        says: `AWS goes on throttling the calls of ${of}: too much in that account and region asks the same API`,
      });
      watch("degraded-services", {
        metric: metric("DegradedServices", Stats.MAXIMUM),
        above: 0,
        periods: 5,
        says: `Services of ${of} are degraded: a release failed, or what is live cannot serve`,
      });
    }
  }

  private watchFunctions(): void {
    for (const controller of this.#props.functions) {
      const suffix = controller === this.#props.functions[0] ? "" : "on-call";
      this.alarm("throttled", suffix, {
        metric: controller.metricThrottles({ period: MINUTE }),
        above: 0,
        periods: 5,
        of: 2,
        says: "Lambda throttles Tidegate's own function: the account's concurrency is used up",
      });
    }
    if (this.#props.deadLetters !== undefined) {
      this.alarm("dead-letters", "", {
        metric: this.#props.deadLetters.metricApproximateNumberOfMessagesVisible({ period: MINUTE }),
        above: 0,
        periods: 1,
        says: "Hints could not be followed three times: changes by hand are seen by the schedule alone",
      });
    }
  }

  private alarm(page: Page, suffix: string, { metric, above, periods, of, missing, says }: Watch): void {
    const name = suffix === "" ? page : `${suffix}-${page}`;
    const alarm = new Alarm(this, name, {
      alarmName: `${alarmPrefix(this.#props.installation)}${name}`,
      alarmDescription: `${says}. What to do: ${this.#props.alarms.pages ?? PAGES}${page}.md`,
      metric,
      threshold: above,
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: periods,
      datapointsToAlarm: of ?? periods,
      treatMissingData: missing ?? TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(this.topic));
    alarm.addOkAction(new SnsAction(this.topic));
    this.all.push(alarm);
  }

  /** Encrypted with a key of its own: CloudWatch may not use the account's `aws/sns`. */
  private ownTopic(): Topic {
    const { account, partition, region } = Stack.of(this);
    const key = new Key(this, "Key", {
      description: "Alarms of Tidegate on their way to people",
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.DESTROY,
      pendingWindow: Duration.days(7),
    });
    const cloudwatch = new ServicePrincipal("cloudwatch.amazonaws.com", {
      conditions: {
        StringEquals: { "aws:SourceAccount": account },
        ArnLike: { "aws:SourceArn": `arn:${partition}:cloudwatch:${region}:${account}:alarm:*` },
      },
    });
    key.grantEncryptDecrypt(cloudwatch);
    const topic = new Topic(this, "Topic", {
      topicName: `${alarmPrefix(this.#props.installation)}alarms`,
      masterKey: key,
      enforceSSL: true,
    });
    topic.grantPublish(cloudwatch);
    return topic;
  }
}
