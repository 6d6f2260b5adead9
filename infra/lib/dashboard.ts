/** What people look at: drift, releases under way, and what Tidegate itself does and costs. */
import { Duration, Stack, Token } from "aws-cdk-lib";
import {
  AlarmStatusWidget,
  Dashboard as CloudWatchDashboard,
  GraphWidget,
  MathExpression,
  Metric,
  PeriodOverride,
  SearchExpression,
  SingleValueWidget,
  Stats,
  TextWidget,
  type Alarm,
  type IMetric,
} from "aws-cdk-lib/aws-cloudwatch";
import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { Construct } from "constructs";
import type { PlacedEnvironment } from "./places.ts";
import { shardsOf } from "./shards.ts";

const MINUTE = Duration.minutes(1);
const WIDTH = 24;
const HALF = WIDTH / 2;
const THIRD = WIDTH / 3;

/**
 * On-demand prices of us-east-1, by architecture, as https://aws.amazon.com/lambda/pricing/ had them in November 2026: for an
 * estimate on a dashboard. docs/cost.md counts everything.
 */
const DOLLARS_A_GB_SECOND = { arm64: 0.0000133334, x86_64: 0.0000166667 };
const DOLLARS_A_REQUEST = 0.0000002;
const SECONDS_A_MONTH = 30 * 24 * 3600;

export interface DashboardProps {
  readonly name: string;
  readonly namespace: string;
  readonly environments: readonly PlacedEnvironment[];
  readonly controller: IFunction;
  readonly memoryMb: number;
  readonly architecture: "arm64" | "x86_64";
  readonly alarms: readonly Alarm[];
}

/** One dashboard for an installation. */
export class Dashboard extends Construct {
  readonly #props: DashboardProps;

  constructor(scope: Construct, id: string, props: DashboardProps) {
    super(scope, id);
    this.#props = props;
    new CloudWatchDashboard(this, "Dashboard", {
      dashboardName: props.name,
      defaultInterval: Duration.hours(3),
      periodOverride: PeriodOverride.INHERIT,
      widgets: [
        [new AlarmStatusWidget({ title: "Alarms", alarms: [...props.alarms], width: WIDTH, height: 4 })],
        ...props.environments.flatMap((environment) => this.environment(environment)),
        ...this.itself(),
      ],
    });
  }

  /** One environment: where it stands, what is on its way, and how new and stable do. */
  private environment(environment: PlacedEnvironment) {
    const { name } = environment;
    const numbers = (metricName: string, label: string) =>
      this.series(environment, metricName, Stats.MAXIMUM).map((metric) => metric.with({ label }));
    return [
      [new TextWidget({ markdown: `## ${name}`, width: WIDTH, height: 1 })],
      [
        new SingleValueWidget({
          title: "Services",
          width: THIRD,
          height: 6,
          metrics: [
            ...numbers("ManagedServices", "managed"),
            ...numbers("OutOfSyncServices", "out of sync"),
            ...numbers("DegradedServices", "degraded"),
            ...numbers("HeldServices", "held"),
          ],
        }),
        new GraphWidget({
          title: "Drift, and the age of the oldest",
          width: THIRD,
          left: this.series(environment, "DriftedServices", Stats.MAXIMUM),
          right: this.series(environment, "OldestDriftSeconds", Stats.MAXIMUM),
          leftYAxis: { min: 0, label: "services", showUnits: false },
          rightYAxis: { min: 0, label: "seconds", showUnits: false },
        }),
        new GraphWidget({
          title: "Releases under way, and the weights of their new versions",
          width: THIRD,
          left: this.series(environment, "RolloutsInProgress", Stats.MAXIMUM),
          right: [
            this.search(
              environment,
              `{"${this.#props.namespace}",Environment,Service} MetricName="CanaryWeight" Environment="${name}"`,
              "Maximum",
            ),
          ],
          leftYAxis: { min: 0, label: "releases", showUnits: false },
          rightYAxis: { min: 0, max: 100, label: "%", showUnits: false },
        }),
      ],
      [
        new GraphWidget({
          title: "Error rate of each version behind an alias: new and stable",
          width: HALF,
          // Lambda publishes 0 or 1 for each invocation: their average is the rate.
          left: this.byVersion(environment, "Errors", "Average"),
          leftYAxis: { min: 0, max: 1, label: "share", showUnits: false },
        }),
        new GraphWidget({
          title: "Invocations of each version behind an alias",
          width: HALF,
          left: this.byVersion(environment, "Invocations", "Sum"),
          leftYAxis: { min: 0, showUnits: false },
        }),
      ],
    ];
  }

  /** Tidegate itself: how long it takes, what it calls, what fails, and what it costs. */
  private itself() {
    const { controller, environments } = this.#props;
    const of = (name: string, statistic: string) =>
      environments.flatMap((environment) => this.series(environment, name, statistic));
    return [
      [new TextWidget({ markdown: "## Tidegate itself", width: WIDTH, height: 1 })],
      [
        new GraphWidget({
          title: "Duration of a sync",
          width: THIRD,
          left: of("SyncDuration", Stats.MAXIMUM),
          leftYAxis: { min: 0 },
        }),
        new GraphWidget({
          title: "Seconds since the last sync that succeeded, and errors",
          width: THIRD,
          left: of("SecondsSinceLastSuccessfulSync", Stats.MAXIMUM),
          right: of("SyncErrors", Stats.SUM),
          leftYAxis: { min: 0, label: "seconds", showUnits: false },
          rightYAxis: { min: 0, label: "errors", showUnits: false },
        }),
        new GraphWidget({
          title: "Calls of Lambda's API in a sync, and those that AWS throttled",
          width: THIRD,
          left: of("LambdaApiCalls", Stats.MAXIMUM),
          right: of("ThrottledCalls", Stats.SUM),
          leftYAxis: { min: 0, label: "calls", showUnits: false },
          rightYAxis: { min: 0, label: "throttled", showUnits: false },
        }),
      ],
      [
        new GraphWidget({
          title: "The function",
          width: HALF,
          left: [controller.metricDuration({ period: MINUTE, statistic: Stats.MAXIMUM })],
          right: [controller.metricErrors({ period: MINUTE }), controller.metricThrottles({ period: MINUTE })],
        }),
        new GraphWidget({
          title: "Cost of the function, as the last day would make it in a month",
          width: HALF,
          left: [this.cost()],
          leftYAxis: { min: 0, label: "$", showUnits: false },
        }),
      ],
    ];
  }

  private cost(): MathExpression {
    const { controller, memoryMb, architecture } = this.#props;
    const period = Duration.days(1);
    const dollars = (memoryMb / 1024) * DOLLARS_A_GB_SECOND[architecture];
    return new MathExpression({
      label: "$ a month, before any free tier; metrics, alarms and requests of S3 are in docs/cost.md",
      expression: `(milliseconds / 1000 * ${dollars.toFixed(12)} + requests * ${DOLLARS_A_REQUEST.toFixed(7)}) * ${SECONDS_A_MONTH} / PERIOD(requests)`,
      usingMetrics: {
        milliseconds: controller.metricDuration({ period, statistic: Stats.SUM }),
        requests: controller.metricInvocations({ period, statistic: Stats.SUM }),
      },
      period,
    });
  }

  /** The series of a metric: one, or one for each part of a divided environment. */
  private series({ name, props }: PlacedEnvironment, metricName: string, statistic: string): Metric[] {
    return shardsOf(props.shards).map(
      (shard) =>
        new Metric({
          namespace: this.#props.namespace,
          metricName,
          dimensionsMap: { Environment: name, ...(shard && { Shard: shard }) },
          statistic,
          period: MINUTE,
          label: shard === undefined ? name : `${name} ${shard}`,
        }),
    );
  }

  /** The versions of the functions that an environment may have: searched, since nobody knows them beforehand. */
  private byVersion(environment: PlacedEnvironment, metricName: string, statistic: string): IMetric[] {
    return environment.props.allowedFunctions.map((pattern) => {
      // A search takes words of a name, not any beginning; `*` alone is all of them.
      const name = Token.isUnresolved(pattern) ? "" : pattern.replaceAll(/[*?]+/g, "");
      const only = name === "" ? "" : ` FunctionName=${name}`;
      return this.search(
        environment,
        `{AWS/Lambda,ExecutedVersion,FunctionName,Resource} MetricName="${metricName}"${only}`,
        statistic,
      );
    });
  }

  private search({ account, region }: PlacedEnvironment, terms: string, statistic: string): SearchExpression {
    const { account: home, region: here } = Stack.of(this);
    return new SearchExpression({
      expression: `SEARCH('${terms}', '${statistic}', ${MINUTE.toSeconds()})`,
      label: "",
      period: MINUTE,
      ...(region === here || terms.includes("CanaryWeight") ? {} : { searchRegion: region }),
      ...(account === home || terms.includes("CanaryWeight") ? {} : { searchAccount: account }),
    });
  }
}
