/** What makes the controller tick: one EventBridge schedule for each environment, or for each part of one. */
import { Duration } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { Schedule, ScheduleExpression, ScheduleGroup, ScheduleTargetInput } from "aws-cdk-lib/aws-scheduler";
import { LambdaInvoke } from "aws-cdk-lib/aws-scheduler-targets";
import { Stack, RemovalPolicy } from "aws-cdk-lib";
import { Construct } from "constructs";
import { controllerName } from "./names.ts";
import type { PlacedEnvironment } from "./places.ts";
import { shardsOf } from "./shards.ts";

/** How often an environment is looked at where nobody says it. */
export const EVERY = Duration.minutes(1);

/** All schedules of an installation, in a group of their own. */
export class Schedules extends Construct {
  constructor(
    scope: Construct,
    id: string,
    installation: string,
    placed: readonly PlacedEnvironment[],
    controller: IFunction,
  ) {
    super(scope, id);
    const name = controllerName(installation);
    // Schedules themselves take no tags: their group does.
    const group = new ScheduleGroup(this, "Group", { scheduleGroupName: name, removalPolicy: RemovalPolicy.DESTROY });
    const { partition, region, account } = Stack.of(this);
    const role = new Role(this, "Role", {
      roleName: `${name}-schedules`,
      description: `Lets EventBridge Scheduler start ${name}`,
      assumedBy: new ServicePrincipal("scheduler.amazonaws.com", {
        conditions: {
          StringEquals: {
            "aws:SourceAccount": account,
            "aws:SourceArn": `arn:${partition}:scheduler:${region}:${account}:schedule-group/${name}`,
          },
        },
      }),
    });
    role.addToPolicy(new PolicyStatement({ actions: ["lambda:InvokeFunction"], resources: [controller.functionArn] }));
    for (const { name: environment, props } of placed) {
      for (const shard of shardsOf(props.shards)) {
        const part = shard?.replace("/", "-");
        new Schedule(this, part === undefined ? environment : `${environment}.${part}`, {
          scheduleName: part === undefined ? environment : `${environment}.${part}`,
          description: `Tidegate looks at ${shard === undefined ? environment : `part ${shard} of ${environment}`}`,
          scheduleGroup: group,
          schedule: ScheduleExpression.rate(props.every ?? EVERY),
          target: new LambdaInvoke(controller, {
            // Without policy updates: CDK would allow every version and alias of the function as well.
            role: role.withoutPolicyUpdates(),
            input: ScheduleTargetInput.fromObject({ command: "sync", environment, ...(shard && { shard }) }),
            // The next one is a minute away, and sees everything that this one would have.
            retryAttempts: 0,
            maxEventAge: Duration.seconds(60),
          }),
        });
      }
    }
  }
}
