/** Alarms, each with its page, and the dashboard. */
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { smallest } from "./fixtures.ts";
import { flat, full, Match, resources, small, templateOf } from "./templates.ts";

describe("the alarms", () => {
  const alarms = (template: typeof small) =>
    Object.values(resources(template, "AWS::CloudWatch::Alarm")).map(({ Properties }) => Properties);

  it("are these, for each environment or part of one", () => {
    const shown = alarms(full.home).map((alarm) => {
      const { MetricName, Statistic, Threshold, Period, EvaluationPeriods, DatapointsToAlarm, TreatMissingData } =
        alarm;
      const times = `${String(DatapointsToAlarm)} of ${String(EvaluationPeriods)} x ${String(Period)} s`;
      return `${String(alarm["AlarmName"])}: ${String(Statistic)} ${String(MetricName)} > ${String(Threshold)}, ${times}, missing ${String(TreatMissingData)}`;
    });
    expect(shown).toMatchInlineSnapshot(`
      [
        "tidegate-main-staging-no-successful-sync: Minimum SecondsSinceLastSuccessfulSync > 0, 5 of 5 x 60 s, missing breaching",
        "tidegate-main-staging-sync-errors: Sum SyncErrors > 0, 3 of 5 x 60 s, missing notBreaching",
        "tidegate-main-staging-drift-too-old: Maximum OldestDriftSeconds > 1800, 1 of 1 x 60 s, missing notBreaching",
        "tidegate-main-staging-held-too-long: Maximum OldestHoldSeconds > 86400, 1 of 1 x 60 s, missing notBreaching",
        "tidegate-main-staging-throttled: Sum ThrottledCalls > 0, 5 of 5 x 60 s, missing notBreaching",
        "tidegate-main-staging-degraded-services: Maximum DegradedServices > 0, 5 of 5 x 60 s, missing notBreaching",
        "tidegate-main-production.1-2-no-successful-sync: Minimum SecondsSinceLastSuccessfulSync > 0, 5 of 5 x 60 s, missing breaching",
        "tidegate-main-production.1-2-sync-errors: Sum SyncErrors > 0, 3 of 5 x 60 s, missing notBreaching",
        "tidegate-main-production.1-2-drift-too-old: Maximum OldestDriftSeconds > 1800, 1 of 1 x 60 s, missing notBreaching",
        "tidegate-main-production.1-2-held-too-long: Maximum OldestHoldSeconds > 86400, 1 of 1 x 60 s, missing notBreaching",
        "tidegate-main-production.1-2-throttled: Sum ThrottledCalls > 0, 5 of 5 x 60 s, missing notBreaching",
        "tidegate-main-production.1-2-degraded-services: Maximum DegradedServices > 0, 5 of 5 x 60 s, missing notBreaching",
        "tidegate-main-production.2-2-no-successful-sync: Minimum SecondsSinceLastSuccessfulSync > 0, 5 of 5 x 60 s, missing breaching",
        "tidegate-main-production.2-2-sync-errors: Sum SyncErrors > 0, 3 of 5 x 60 s, missing notBreaching",
        "tidegate-main-production.2-2-drift-too-old: Maximum OldestDriftSeconds > 1800, 1 of 1 x 60 s, missing notBreaching",
        "tidegate-main-production.2-2-held-too-long: Maximum OldestHoldSeconds > 86400, 1 of 1 x 60 s, missing notBreaching",
        "tidegate-main-production.2-2-throttled: Sum ThrottledCalls > 0, 5 of 5 x 60 s, missing notBreaching",
        "tidegate-main-production.2-2-degraded-services: Maximum DegradedServices > 0, 5 of 5 x 60 s, missing notBreaching",
        "tidegate-main-overseas-no-successful-sync: Minimum SecondsSinceLastSuccessfulSync > 0, 2 of 2 x 300 s, missing breaching",
        "tidegate-main-overseas-sync-errors: Sum SyncErrors > 0, 3 of 5 x 300 s, missing notBreaching",
        "tidegate-main-overseas-drift-too-old: Maximum OldestDriftSeconds > 1800, 1 of 1 x 300 s, missing notBreaching",
        "tidegate-main-overseas-held-too-long: Maximum OldestHoldSeconds > 86400, 1 of 1 x 300 s, missing notBreaching",
        "tidegate-main-overseas-throttled: Sum ThrottledCalls > 0, 5 of 5 x 300 s, missing notBreaching",
        "tidegate-main-overseas-degraded-services: Maximum DegradedServices > 0, 5 of 5 x 300 s, missing notBreaching",
        "tidegate-main-throttled: Sum Throttles > 0, 2 of 5 x 60 s, missing notBreaching",
        "tidegate-main-on-call-throttled: Sum Throttles > 0, 2 of 5 x 60 s, missing notBreaching",
        "tidegate-main-dead-letters: Maximum ApproximateNumberOfMessagesVisible > 0, 1 of 1 x 60 s, missing notBreaching",
      ]
    `);
  });

  it("wake somebody, and say when it is over", () => {
    for (const alarm of alarms(full.home)) {
      expect(alarm["AlarmActions"]).toHaveLength(1);
      expect(alarm["OKActions"]).toEqual(alarm["AlarmActions"]);
    }
    full.home.hasResourceProperties("AWS::SNS::Subscription", { Protocol: "email", Endpoint: "platform@acme.example" });
  });

  it("name their page", () => {
    const pages = new Set(
      alarms(full.home).map((alarm) => /docs\/operations\/([a-z-]+)\.md$/.exec(String(alarm["AlarmDescription"]))?.[1]),
    );
    expect([...pages].sort()).toEqual([
      "dead-letters",
      "degraded-services",
      "drift-too-old",
      "held-too-long",
      "no-successful-sync",
      "sync-errors",
      "throttled",
    ]);
    const book = new URL("../../docs/operations/", import.meta.url);
    if (existsSync(book)) {
      for (const page of pages) {
        expect(existsSync(new URL(`${page ?? ""}.md`, book)), page).toBe(true);
      }
    }
    const own = templateOf(
      { ...smallest(), alarms: { pages: "https://wiki.acme.example/tidegate/" } },
      "tidegate-main",
    );
    own.hasResourceProperties("AWS::CloudWatch::Alarm", {
      AlarmDescription: Match.stringLikeRegexp("What to do: https://wiki.acme.example/tidegate/[a-z-]+.md$"),
    });
  });

  it("are sent to a topic that takes TLS alone and is encrypted with a key that CloudWatch may use", () => {
    small.hasResourceProperties("AWS::SNS::TopicPolicy", {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: "Deny", Condition: { Bool: { "aws:SecureTransport": "false" } } }),
          Match.objectLike({
            Effect: "Allow",
            Action: "sns:Publish",
            Principal: { Service: "cloudwatch.amazonaws.com" },
          }),
        ]),
      },
    });
    small.hasResourceProperties("AWS::KMS::Key", {
      KeyPolicy: {
        Statement: Match.arrayWith([Match.objectLike({ Principal: { Service: "cloudwatch.amazonaws.com" } })]),
      },
    });
  });
});

describe("the dashboard", () => {
  const [dashboard] = Object.values(resources(full.home, "AWS::CloudWatch::Dashboard"));
  const body = JSON.parse(flat(dashboard?.Properties["DashboardBody"])) as {
    widgets: { type: string; properties: { title?: string; metrics?: unknown[] } }[];
  };

  it("shows drift, releases, new and stable, the syncs, the calls and the cost", () => {
    const titles = new Set(body.widgets.flatMap(({ properties: { title } }) => (title === undefined ? [] : [title])));
    expect([...titles]).toMatchInlineSnapshot(`
      [
        "Alarms",
        "Services",
        "Drift, and the age of the oldest",
        "Releases under way, and the weights of their new versions",
        "Error rate of each version behind an alias: new and stable",
        "Invocations of each version behind an alias",
        "Duration of a sync",
        "Seconds since the last sync that succeeded, and errors",
        "Calls of Lambda's API in a sync, and those that AWS throttled",
        "The function",
        "Cost of the function, as the last day would make it in a month",
      ]
    `);
  });

  it("asks for metrics that the controller publishes", () => {
    const asked = new Set(
      JSON.stringify(body)
        .match(/"Tidegate","[A-Za-z]+"/g)
        ?.map((text) => text.split('"')[3]),
    );
    expect([...asked].sort()).toEqual([
      "DegradedServices",
      "DriftedServices",
      "HeldServices",
      "LambdaApiCalls",
      "ManagedServices",
      "OldestDriftSeconds",
      "OutOfSyncServices",
      "RolloutsInProgress",
      "SecondsSinceLastSuccessfulSync",
      "SyncDuration",
      "SyncErrors",
      "ThrottledCalls",
    ]);
  });
});
