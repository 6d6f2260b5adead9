/** What one installation is made of. */
import { Duration } from "aws-cdk-lib";
import { describe, expect, it } from "vitest";
import { smallest } from "./fixtures.ts";
import { flat, full, Match, resources, small, templateOf } from "./templates.ts";

describe("the functions", () => {
  it("are arm64, small, traced, and retried by nobody", () => {
    small.allResourcesProperties("AWS::Lambda::Function", {
      Architectures: ["arm64"],
      Runtime: "provided.al2023",
      MemorySize: 256,
      Timeout: 60,
      TracingConfig: { Mode: "Active" },
    });
    small.resourceCountIs("AWS::Lambda::Function", 2);
    small.allResourcesProperties("AWS::Lambda::EventInvokeConfig", {
      MaximumRetryAttempts: 0,
      MaximumEventAgeInSeconds: 60,
    });
    small.resourceCountIs("AWS::Lambda::EventInvokeConfig", 2);
    small.allResourcesProperties("AWS::Logs::LogGroup", { RetentionInDays: 30 });
  });

  it("know where configuration and state are, and the on-call one takes few commands", () => {
    small.hasResourceProperties("AWS::Lambda::Function", {
      FunctionName: "tidegate-main",
      Environment: { Variables: { TIDEGATE_INSTALLATION: "main", TIDEGATE_COMMANDS: Match.absent() } },
    });
    small.hasResourceProperties("AWS::Lambda::Function", {
      FunctionName: "tidegate-main-on-call",
      Environment: {
        Variables: {
          TIDEGATE_INSTALLATION: "main-on-call",
          TIDEGATE_COMMANDS: "rollback,abort,pause,status,history,record",
        },
      },
    });
    const variables = Object.values(resources(full.home, "AWS::Lambda::Function")).map(
      ({ Properties }) => (Properties["Environment"] as { Variables: Record<string, unknown> }).Variables,
    );
    const copies = variables.map((of) => flat(of["TIDEGATE_STATE"]));
    expect(copies).toEqual([
      expect.stringMatching(/^s3:\/\/<.*>\/main$/),
      expect.stringMatching(/^s3:\/\/<.*>\/main\/on-call$/),
    ]);
  });
});

describe("the schedules", () => {
  it("are one for each environment, or for each part of one", () => {
    const inputs = Object.values(resources(full.home, "AWS::Scheduler::Schedule")).map(({ Properties }) => {
      const { Input, RetryPolicy } = Properties["Target"] as { Input: string; RetryPolicy: unknown };
      expect(RetryPolicy).toEqual({ MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 });
      return [Properties["Name"], Properties["ScheduleExpression"], JSON.parse(Input) as unknown];
    });
    expect(inputs).toEqual([
      ["staging", "rate(1 minute)", { command: "sync", environment: "staging" }],
      ["production.1-2", "rate(1 minute)", { command: "sync", environment: "production", shard: "1/2" }],
      ["production.2-2", "rate(1 minute)", { command: "sync", environment: "production", shard: "2/2" }],
      ["overseas", "rate(5 minutes)", { command: "sync", environment: "overseas" }],
    ]);
  });

  it("may start the controller and nothing else", () => {
    const policies = Object.values(resources(small, "AWS::IAM::Policy")).map(
      ({ Properties }) => Properties["PolicyDocument"],
    );
    expect(policies).toEqual([
      {
        Version: "2012-10-17",
        Statement: [{ Action: "lambda:InvokeFunction", Effect: "Allow", Resource: expect.anything() as unknown }],
      },
    ]);
    expect(flat((policies[0] as { Statement: [{ Resource: unknown }] }).Statement[0].Resource)).toMatch(
      /^<TidegateControllerFunction\w+\.Arn>$/,
    );
  });
});

describe("the state bucket", () => {
  it("is versioned, encrypted with a key of its own, and closed to the public", () => {
    small.hasResource("AWS::S3::Bucket", {
      DeletionPolicy: "Retain",
      UpdateReplacePolicy: "Retain",
      Properties: {
        VersioningConfiguration: { Status: "Enabled" },
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
        BucketEncryption: {
          ServerSideEncryptionConfiguration: [
            { BucketKeyEnabled: true, ServerSideEncryptionByDefault: Match.objectLike({ SSEAlgorithm: "aws:kms" }) },
          ],
        },
      },
    });
    small.hasResource("AWS::KMS::Key", { DeletionPolicy: "Retain", Properties: { EnableKeyRotation: true } });
  });

  it("forgets replaced leases and statuses after a day, and what people changed after ninety", () => {
    const rules = Object.values(resources(small, "AWS::S3::Bucket")).flatMap(
      ({ Properties }) =>
        (
          Properties["LifecycleConfiguration"] as {
            Rules: { Prefix?: string; NoncurrentVersionExpiration?: { NoncurrentDays: number } }[];
          }
        ).Rules,
    );
    const days = Object.fromEntries(
      rules.map(({ Prefix, NoncurrentVersionExpiration: expiry }) => [Prefix ?? "", expiry?.NoncurrentDays]),
    );
    expect(days).toEqual({ "lease/": 1, "status/": 1, "state/": 90, "desired/": 90, "": undefined });
  });

  it("refuses plain HTTP, and writing over or deleting history, whoever asks", () => {
    const [policy] = Object.values(resources(full.home, "AWS::S3::BucketPolicy"));
    const document = policy?.Properties["PolicyDocument"] as { Statement: Record<string, unknown>[] };
    const denied = document.Statement.map(({ Effect, Principal, Action, Resource, Condition }) => {
      expect([Effect, Principal]).toEqual(["Deny", { AWS: "*" }]);
      const resource = Array.isArray(Resource) ? Resource.map(flat).join(" ") : flat(Resource);
      return `${String(Action)} ${resource.replaceAll(/<[^>]*>/g, "")} ${JSON.stringify(Condition)}`;
    });
    expect(denied).toMatchInlineSnapshot(`
      [
        "s3:*  /* {"Bool":{"aws:SecureTransport":"false"}}",
        "s3:*  /* {"NumericLessThan":{"s3:TlsVersion":1.2}}",
        "s3:PutObject /main/history/*/0000??????.json {"Null":{"s3:if-none-match":"true"}}",
        "s3:PutObject /main/history/* {"Null":{"s3:if-none-match":"true","s3:if-match":"true"}}",
        "s3:DeleteObject,s3:DeleteObjectVersion /main/history/* undefined",
      ]
    `);
  });

  it("can be locked, and can do without a key of its own", () => {
    full.home.hasResourceProperties("AWS::S3::Bucket", {
      BucketName: "acme-tidegate",
      ObjectLockEnabled: true,
      ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: "GOVERNANCE", Days: 30 } } },
    });
    const plain = templateOf({ ...smallest(), state: { encryption: "s3" } }, "tidegate-main");
    plain.hasResourceProperties("AWS::S3::Bucket", {
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" } }],
      },
    });
  });
});

describe("an installation in another rhythm", () => {
  it("is missed after as many minutes as its schedule allows", () => {
    const slow = smallest();
    const environments = Object.fromEntries(
      Object.entries(slow.environments).map(([name, props]) => [name, { ...props, every: Duration.minutes(10) }]),
    );
    templateOf({ ...slow, environments }, "tidegate-main").hasResourceProperties("AWS::CloudWatch::Alarm", {
      AlarmName: "tidegate-main-staging-no-successful-sync",
      Period: 600,
      EvaluationPeriods: 2,
    });
  });
});

describe("tags", () => {
  const untaggable = new Set([
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::Scheduler::Schedule",
    "AWS::KMS::Alias",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::SNS::Subscription",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Version",
    "AWS::Lambda::Alias",
    "AWS::Events::EventBusPolicy",
  ]);

  it("are on everything that takes them", () => {
    for (const template of Object.values(full)) {
      const all = template.toJSON() as { Resources: Record<string, { Type: string; Properties: { Tags?: unknown } }> };
      for (const [id, { Type, Properties }] of Object.entries(all.Resources)) {
        const tagged = JSON.stringify(Properties.Tags ?? "").includes("platform");
        expect(tagged || untaggable.has(Type), `${id}, ${Type}`).toBe(true);
      }
    }
  });
});
