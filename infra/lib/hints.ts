/** What makes the controller look sooner: changes by hand as CloudTrail tells them, and alarms, through a queue. */
import { Duration } from "aws-cdk-lib";
import { CfnEventBusPolicy, EventBus, Match, Rule, type EventPattern } from "aws-cdk-lib/aws-events";
import { SqsQueue } from "aws-cdk-lib/aws-events-targets";
import { AccountPrincipal, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { SqsEventSource } from "aws-cdk-lib/aws-lambda-event-sources";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { TIMEOUT } from "./function.ts";
import { alarmPrefix, busName } from "./names.ts";

/** How long hints are gathered: a deployment of fifty functions is one look. */
const BATCHING_WINDOW = Duration.seconds(5);
/** A hint older than this is of no use: the schedule has looked by then. */
const FRESH_FOR = Duration.hours(1);
/** Writes of Lambda's API that can move what Tidegate looks after. CloudTrail puts the API's version behind each name. */
const WRITES = [
  "CreateAlias",
  "UpdateAlias",
  "DeleteAlias",
  "UpdateFunctionCode",
  "UpdateFunctionConfiguration",
  "PublishVersion",
  "DeleteFunction",
].map((name) => `${name}20`);

/** Changes of functions and aliases by anybody but these roles. */
export function changesByHand(ownRoleArns: readonly string[]): EventPattern {
  return {
    source: ["aws.lambda"],
    detailType: ["AWS API Call via CloudTrail"],
    detail: {
      eventSource: ["lambda.amazonaws.com"],
      eventName: Match.anyOf(...WRITES.map((beginning) => Match.prefix(beginning))),
      // A call that failed changed nothing.
      errorCode: Match.doesNotExist(),
      userIdentity: {
        // Users, other than roles, have no session.
        sessionContext: {
          sessionIssuer: { arn: Match.anyOf(Match.anythingBut(...ownRoleArns), Match.doesNotExist()) },
        },
      },
    },
  };
}

/** Alarms that go off, but for the installation's own. */
export function alarmsThatGoOff(installation: string): EventPattern {
  return {
    source: ["aws.cloudwatch"],
    detailType: ["CloudWatch Alarm State Change"],
    detail: {
      alarmName: Match.anythingButPrefix(alarmPrefix(installation)),
      state: { value: ["ALARM"] },
    },
  };
}

export interface HintsProps {
  readonly installation: string;
  readonly controller: IFunction;
  /** ARN of the controller's role: its own changes are no hints. */
  readonly ownRoleArn: string;
  /** Accounts and regions that send their hints here; none, and there is no bus for them. */
  readonly from: readonly { readonly forwarderArn: string; readonly account: string; readonly region: string }[];
}

/** Rules, queue and bus. */
export class Hints extends Construct {
  readonly queue: Queue;
  readonly deadLetters: Queue;

  constructor(scope: Construct, id: string, props: HintsProps) {
    super(scope, id);
    const { installation, controller } = props;
    this.deadLetters = new Queue(this, "DeadLetters", {
      queueName: `tidegate-${installation}-hints-dead`,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(4),
    });
    this.queue = new Queue(this, "Queue", {
      queueName: `tidegate-${installation}-hints`,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: FRESH_FOR,
      // As AWS advises: six times the function's timeout, and the batching window.
      visibilityTimeout: Duration.seconds(6 * TIMEOUT.toSeconds() + BATCHING_WINDOW.toSeconds()),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: 3 },
    });
    const source = new SqsEventSource(this.queue, {
      batchSize: 1000,
      maxBatchingWindow: BATCHING_WINDOW,
      reportBatchItemFailures: true,
      // The fewest that Lambda takes: a lease lets one of them work at a time.
      maxConcurrency: 2,
    });
    controller.addEventSource(source);
    const target = new SqsQueue(this.queue, { maxEventAge: FRESH_FOR, retryAttempts: 2 });
    const rule = (id: string, description: string, eventPattern: EventPattern, eventBus?: EventBus) =>
      new Rule(this, id, { description, eventPattern, targets: [target], ...(eventBus && { eventBus }) });
    rule("Changes", "Tidegate looks at functions that somebody changed", changesByHand([props.ownRoleArn]));
    rule("Alarms", "Tidegate looks at releases that an alarm gates", alarmsThatGoOff(installation));
    if (props.from.length > 0) {
      this.takeFrom(props, rule);
    }
  }

  /** A bus of its own: on the account's default one, other rules would take other accounts' events for the account's. */
  private takeFrom(
    { installation, from }: HintsProps,
    rule: (id: string, description: string, pattern: EventPattern, bus: EventBus) => Rule,
  ): void {
    const bus = new EventBus(this, "Bus", {
      eventBusName: busName(installation),
      description: "Hints for Tidegate from other accounts and regions",
    });
    for (const { account, region, forwarderArn } of from) {
      const sid = `From${account}${region.replaceAll("-", "")}`;
      new CfnEventBusPolicy(bus, sid, {
        eventBusName: bus.eventBusName,
        statementId: sid,
        statement: new PolicyStatement({
          sid,
          // The account, with the role as a condition: a policy that names a role is refused until the role exists.
          principals: [new AccountPrincipal(account)],
          actions: ["events:PutEvents"],
          resources: [bus.eventBusArn],
          conditions: { ArnEquals: { "aws:PrincipalArn": forwarderArn } },
        }).toStatementJson() as unknown,
      });
    }
    rule("Forwarded", "Tidegate looks at what other accounts tell", { source: ["aws.lambda", "aws.cloudwatch"] }, bus);
  }
}
