/** What makes the controller look at once. */
import { describe, expect, it } from "vitest";
import { smallest } from "./fixtures.ts";
import { full, Match, resources, small, templateOf } from "./templates.ts";

describe("hints", () => {
  it("come through a queue that is encrypted, takes TLS alone, and gives up after three times", () => {
    small.hasResourceProperties("AWS::SQS::Queue", {
      SqsManagedSseEnabled: true,
      VisibilityTimeout: 365,
      MessageRetentionPeriod: 3600,
      RedrivePolicy: Match.objectLike({ maxReceiveCount: 3 }),
    });
    small.resourceCountIs("AWS::SQS::QueuePolicy", 2);
    small.allResourcesProperties("AWS::SQS::QueuePolicy", {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({
            Effect: "Deny",
            Action: "sqs:*",
            Condition: { Bool: { "aws:SecureTransport": "false" } },
          }),
        ]),
      },
    });
    small.hasResourceProperties("AWS::Lambda::EventSourceMapping", {
      MaximumBatchingWindowInSeconds: 5,
      FunctionResponseTypes: ["ReportBatchItemFailures"],
    });
  });

  it("are the writes of others to Lambda, and alarms of others that go off", () => {
    const patterns = Object.values(resources(small, "AWS::Events::Rule")).map(
      ({ Properties }) => Properties["EventPattern"],
    );
    expect(patterns).toMatchInlineSnapshot(`
      [
        {
          "detail": {
            "errorCode": [
              {
                "exists": false,
              },
            ],
            "eventName": [
              {
                "prefix": "CreateAlias20",
              },
              {
                "prefix": "UpdateAlias20",
              },
              {
                "prefix": "DeleteAlias20",
              },
              {
                "prefix": "UpdateFunctionCode20",
              },
              {
                "prefix": "UpdateFunctionConfiguration20",
              },
              {
                "prefix": "PublishVersion20",
              },
              {
                "prefix": "DeleteFunction20",
              },
            ],
            "eventSource": [
              "lambda.amazonaws.com",
            ],
            "userIdentity": {
              "sessionContext": {
                "sessionIssuer": {
                  "arn": [
                    {
                      "anything-but": [
                        {
                          "Fn::Join": [
                            "",
                            [
                              "arn:",
                              {
                                "Ref": "AWS::Partition",
                              },
                              ":iam::",
                              {
                                "Ref": "AWS::AccountId",
                              },
                              ":role/tidegate-main",
                            ],
                          ],
                        },
                      ],
                    },
                    {
                      "exists": false,
                    },
                  ],
                },
              },
            },
          },
          "detail-type": [
            "AWS API Call via CloudTrail",
          ],
          "source": [
            "aws.lambda",
          ],
        },
        {
          "detail": {
            "alarmName": [
              {
                "anything-but": {
                  "prefix": "tidegate-main-",
                },
              },
            ],
            "state": {
              "value": [
                "ALARM",
              ],
            },
          },
          "detail-type": [
            "CloudWatch Alarm State Change",
          ],
          "source": [
            "aws.cloudwatch",
          ],
        },
      ]
    `);
  });

  it("can be left out, and the bus is there only where others send some", () => {
    const silent = templateOf({ ...smallest(), hints: false }, "tidegate-main");
    silent.resourceCountIs("AWS::SQS::Queue", 0);
    silent.resourceCountIs("AWS::Lambda::EventSourceMapping", 0);
    small.resourceCountIs("AWS::Events::EventBus", 0);
    full.home.resourceCountIs("AWS::Events::EventBus", 1);
    const policies = Object.values(resources(full.home, "AWS::Events::EventBusPolicy"));
    const from = policies.map(({ Properties }) => JSON.stringify(Properties["Statement"]));
    expect(from.some((text) => text.includes("222222222222"))).toBe(true);
    expect(from.every((text) => text.includes("aws:PrincipalArn"))).toBe(true);
  });
});
