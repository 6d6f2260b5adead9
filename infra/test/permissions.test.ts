/** The roles have the rights that are written down, each for a call that is really made, and what is never right is denied. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ON_CALL_COMMANDS } from "../lib/controller.ts";
import { permissions, type Permission, type Resource } from "../lib/permissions.ts";
import { flat, full, many, small, statements, type Statement } from "./templates.ts";

/** Written by the stories: every call of the controller and the command line that one of them saw. */
const RECORDED = new URL("../../tests/stories/recorded-calls.json", import.meta.url);
/** What the recorded kinds of resource are in `permissions.json`. */
const KINDS: Record<string, readonly Resource[]> = {
  function: ["functions"],
  "function:qualifier": ["functions", "qualifiedFunctions"],
  repository: ["repositories"],
  archives: ["archives"],
  bucket: ["stateBucket"],
  lease: ["stateObjects"],
  desired: ["stateObjects"],
  state: ["stateObjects", "stateDocuments"],
  history: ["stateObjects"],
  status: ["stateObjects"],
  configuration: ["stateObjects"],
  "/services": ["registryParameters", "registryDocument"],
  "/tidegate": ["configuration", "credential"],
  role: ["environmentRoles"],
  "*": ["metrics", "observations"],
};

function matches(pattern: string, text: string): boolean {
  const escaped = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${escaped}$`).test(text);
}

/** Whether IAM would let these statements do it: an explicit deny wins, and without an allow nothing goes. */
function may(given: readonly Statement[], action: string, arn: string): boolean {
  const about = (statement: Statement) => {
    const actions = many(statement.Action).some((pattern) => matches(pattern, action));
    const patterns = (of: unknown) => many(of).map((pattern) => flat(pattern).replace("<AWS::Partition>", "aws"));
    const listed = patterns(statement.Resource).some((pattern) => matches(pattern, arn));
    const left = statement.NotResource !== undefined && !patterns(statement.NotResource).some((p) => matches(p, arn));
    return actions && (statement.Resource === undefined ? left : listed);
  };
  const hits = given.filter(about);
  return hits.some(({ Effect }) => Effect === "Allow") && hits.every(({ Effect }) => Effect === "Allow");
}

const FUNCTION = "arn:aws:lambda:eu-central-1:111111111111:function:";
const controller = statements(full.home, "What tidegate-main may do");
const onCall = statements(full.home, "What tidegate-main-on-call may do");
const production = statements(full.account, "What tidegate-main may");

describe("the controller", () => {
  it("manages the functions that it is allowed, and no other", () => {
    for (const action of ["UpdateAlias", "UpdateFunctionCode", "PublishVersion", "PutFunctionConcurrency"]) {
      expect(may(controller, `lambda:${action}`, `${FUNCTION}StagingFlightService`), action).toBe(true);
      expect(may(controller, `lambda:${action}`, `${FUNCTION}ProductionFlightService`), action).toBe(false);
      expect(may(controller, `lambda:${action}`, `${FUNCTION}tidegate-main`), action).toBe(false);
    }
    expect(may(controller, "lambda:GetFunction", `${FUNCTION}StagingFlightService:live`)).toBe(true);
    expect(
      may(controller, "lambda:UpdateAlias", "arn:aws:lambda:us-east-1:111111111111:function:StagingFlightService"),
    ).toBe(false);
  });

  it("deletes versions where that was asked for, and never a function or an alias", () => {
    expect(may(controller, "lambda:DeleteFunction", `${FUNCTION}StagingFlightService:7`)).toBe(true);
    expect(may(controller, "lambda:DeleteFunction", `${FUNCTION}StagingFlightService`)).toBe(false);
    expect(may(controller, "lambda:DeleteAlias", `${FUNCTION}StagingFlightService:live`)).toBe(false);
    const plain = statements(small, "What tidegate-main may do");
    expect(plain.flatMap(({ Effect, Action }) => (Effect === "Allow" ? many(Action) : []))).not.toContain(
      "lambda:DeleteFunction",
    );
  });

  it("never touches itself, even where every name is allowed", () => {
    const deny = controller.filter(({ Effect }) => Effect === "Deny");
    const greedy: Statement[] = [
      { Effect: "Allow", Action: ["lambda:*", "iam:*"], Resource: "*" },
      ...deny.filter(({ Sid }) => Sid !== "NoOtherFunction"),
    ];
    for (const name of ["tidegate-main", "tidegate-main:live", "tidegate-main-on-call"]) {
      expect(may(greedy, "lambda:UpdateFunctionCode", `${FUNCTION}${name}`), name).toBe(false);
    }
    expect(may(greedy, "iam:PutRolePolicy", "arn:aws:iam::111111111111:role/tidegate-main")).toBe(false);
    expect(may(greedy, "lambda:UpdateAlias", `${FUNCTION}Other`)).toBe(true);
  });

  it("reads its own configuration and the registry of its environments, and writes that registry alone", () => {
    const parameter = (name: string) => `arn:aws:ssm:eu-central-1:111111111111:parameter${name}`;
    expect(may(controller, "ssm:GetParametersByPath", parameter("/tidegate/main"))).toBe(true);
    expect(may(controller, "ssm:GetParameter", parameter("/tidegate/main/git-token"))).toBe(true);
    expect(may(controller, "ssm:PutParameter", parameter("/services/staging/flight-service"))).toBe(true);
    expect(may(controller, "ssm:PutParameter", parameter("/services/production/flight-service"))).toBe(false);
    expect(may(controller, "ssm:PutParameter", parameter("/tidegate/main/environments/staging"))).toBe(false);
  });

  it("writes one document and nothing beside it where the registry is one, and nothing where there is none", () => {
    const away = (name: string) => `arn:aws:ssm:eu-central-1:222222222222:parameter${name}`;
    for (const action of ["ssm:GetParameter", "ssm:PutParameter"]) {
      expect(may(production, action, away("/services/production/registry")), action).toBe(true);
      expect(may(production, action, away("/services/production/flight-service")), action).toBe(false);
      for (const role of [controller, onCall]) {
        expect(may(role, action, "arn:aws:ssm:us-east-1:111111111111:parameter/services/overseas/a"), action).toBe(
          false,
        );
      }
    }
  });

  it("publishes metrics in its own namespace", () => {
    const [metrics] = controller.filter(({ Action }) => many(Action).includes("cloudwatch:PutMetricData"));
    expect(metrics?.Condition).toEqual({ StringEquals: { "cloudwatch:namespace": "Tidegate" } });
  });
});

describe("who is on call", () => {
  it("moves aliases, and releases nothing", () => {
    expect(may(onCall, "lambda:UpdateAlias", `${FUNCTION}StagingFlightService`)).toBe(true);
    for (const action of [
      "UpdateFunctionCode",
      "UpdateFunctionConfiguration",
      "PublishVersion",
      "PutFunctionConcurrency",
    ]) {
      expect(may(onCall, `lambda:${action}`, `${FUNCTION}StagingFlightService`), action).toBe(false);
    }
    expect(may(onCall, "lambda:DeleteFunction", `${FUNCTION}StagingFlightService:7`)).toBe(false);
    expect(may(onCall, "sts:AssumeRole", "arn:aws:iam::222222222222:role/tidegate-main-production-on-call")).toBe(true);
    expect(may(onCall, "sts:AssumeRole", "arn:aws:iam::222222222222:role/tidegate-main-production")).toBe(false);
  });
});

describe("another account", () => {
  it("has roles for the environments in it, and only these", () => {
    const arn = "arn:aws:lambda:eu-central-1:222222222222:function:";
    expect(may(production, "lambda:UpdateAlias", `${arn}ProductionFlightService`)).toBe(true);
    expect(may(production, "lambda:UpdateAlias", `${arn}Payments`)).toBe(true);
    expect(may(production, "lambda:UpdateAlias", `${arn}PaymentsInternal`)).toBe(false);
    expect(may(production, "lambda:UpdateAlias", `${arn}StagingFlightService`)).toBe(false);
    expect(Object.keys(full.account.findResources("AWS::IAM::Role"))).toHaveLength(3);
    expect(Object.keys(full.region.findResources("AWS::IAM::Role"))).toHaveLength(1);
  });

  it("trusts the controller's role alone, with the external id", () => {
    full.account.hasResourceProperties("AWS::IAM::Role", {
      RoleName: "tidegate-main-production",
      AssumeRolePolicyDocument: {
        Statement: [
          {
            Action: "sts:AssumeRole",
            Condition: {
              ArnEquals: {
                "aws:PrincipalArn": {
                  "Fn::Join": ["", ["arn:", { Ref: "AWS::Partition" }, ":iam::111111111111:role/tidegate-main"]],
                },
              },
              StringEquals: { "sts:ExternalId": "tidegate-3f1c9a" },
            },
          },
        ],
      },
    });
  });
});

describe("the rights that are written down", () => {
  it("are what the policies allow, no more and no less", () => {
    const given = (all: readonly Statement[]) =>
      [...new Set(all.filter(({ Effect }) => Effect === "Allow").flatMap(({ Action }) => many(Action)))].sort();
    const listed = (role: "controller" | "onCall") =>
      [...new Set(permissions.filter(({ roles }) => roles.includes(role)).map(({ action }) => action))].sort();
    expect(given(controller)).toEqual(listed("controller"));
    expect(given(onCall)).toEqual(listed("onCall"));
  });

  it("never have a wildcard in an action, and each says why it is there", () => {
    for (const { action, why } of permissions) {
      expect(action).toMatch(/^[a-z0-9]+:[A-Z][A-Za-z0-9]+$/);
      expect(why.length, action).toBeGreaterThan(10);
    }
  });

  it.each(["controller", "onCall"] as const)("of `%s` are those of the calls that the stories recorded", (role) => {
    const recorded = callsOf(role === "onCall" ? ON_CALL_COMMANDS : undefined);
    const rights = permissions.filter(({ roles }) => roles.includes(role));
    const covers = ({ action, recordedAs, resource }: Permission, call: Call) =>
      (recordedAs ?? action) === call.action && KINDS[call.about]?.includes(resource) === true;
    const missing = recorded.filter((call) => !rights.some((right) => covers(right, call)));
    expect(missing, "the role has no right to these calls: add it to infra/permissions.json").toEqual([]);
    const idle = rights
      .filter(
        ({ unrecorded, unrecordedOnCall }) =>
          (unrecorded ?? (role === "onCall" ? unrecordedOnCall : undefined)) === undefined,
      )
      .filter((right) => !recorded.some((call) => covers(right, call)));
    expect(
      idle.map(({ action, resource }) => `${action} on ${resource}`),
      "nobody makes these calls: take the right away in infra/permissions.json, or say there why none is recorded",
    ).toEqual([]);
  });
});

interface Call {
  readonly action: string;
  /** The kind of resource, as the stories tell them apart. */
  readonly about: string;
}

/** Every call of these commands, or of all of them. */
function callsOf(commands?: readonly string[]): Call[] {
  const recorded = JSON.parse(readFileSync(RECORDED, "utf8")) as Record<string, Record<string, string[]>>;
  const chosen = Object.entries(recorded).filter(([command]) => commands?.includes(command) ?? true);
  const calls = chosen.flatMap(([, actions]) =>
    Object.entries(actions).flatMap(([action, kinds]) => kinds.map((about) => ({ action, about }))),
  );
  return calls.filter(
    (call, at) => calls.findIndex(({ action, about }) => action === call.action && about === call.about) === at,
  );
}
