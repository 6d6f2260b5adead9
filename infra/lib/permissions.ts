/** Makes policy statements of `permissions.json`: what a role may do, and what it may not whatever else allows it. */
import { Stack } from "aws-cdk-lib";
import { Effect, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { IConstruct } from "constructs";
import type { Right } from "./policy.ts";
import listed from "../permissions.json" with { type: "json" };

/** Who has a right. For a person at the command line no policy is made. */
export type Role = "controller" | "onCall" | "person";

/** What a right depends on. */
export type When =
  | "always"
  | "versionHousekeeping"
  | "images"
  | "archives"
  | "registryParameters"
  | "registryDocument"
  | "credential"
  | "credentialKey"
  | "stateKey"
  | "otherAccounts"
  | "hints"
  | "adopt";

/** What a right is about; each role's stack says which ARNs these are. */
export type Resource =
  | "functions"
  | "qualifiedFunctions"
  | "repositories"
  | "archives"
  | "registryParameters"
  | "registryDocument"
  | "configuration"
  | "credential"
  | "credentialKey"
  | "stateBucket"
  | "stateObjects"
  | "stateDocuments"
  | "stateKey"
  | "metrics"
  | "environmentRoles"
  | "logGroup"
  | "hintQueue"
  | "traces"
  | "observations"
  | "any";

/** One right. */
export interface Permission {
  readonly action: string;
  /** The action as the stories record it, where it is another one. */
  readonly recordedAs?: string;
  readonly resource: Resource;
  readonly roles: readonly Role[];
  readonly when: When;
  readonly why: string;
  /** Why no story records the call. */
  readonly unrecorded?: string;
  /** Why no story records it of the on-call function's commands. */
  readonly unrecordedOnCall?: string;
}

/** What a kind of resource is, and why it has wildcards where it has. */
export const kinds = listed.resources as Readonly<
  Record<Resource, { readonly is: string; readonly wildcard?: string }>
>;

/** Every right that there is. */
export const permissions = listed.permissions as readonly Permission[];

/** The ARNs that a kind of resource stands for, given what the right depends on. A right about none is not given. */
export type Resources = (resource: Resource, when: When) => readonly string[];

/** What all rights about some resources depend on beside the resource. */
export type Conditions = Partial<Record<Resource, Record<string, Record<string, string | string[]>>>>;

/** The statements for a role: rights about the same things for the same reason are one. */
export function allowed(role: Role, resources: Resources, conditions: Conditions = {}): Right[] {
  const given = permissions.filter(({ roles }) => roles.includes(role));
  const groups = new Map<string, Permission[]>();
  for (const permission of given) {
    const group = sid(permission.resource, permission.when);
    groups.set(group, [...(groups.get(group) ?? []), permission]);
  }
  return [...groups].flatMap(([group, [first, ...rest]]) => {
    const arns = first === undefined ? [] : resources(first.resource, first.when);
    if (first === undefined || arns.length === 0) {
      return [];
    }
    const conditioned = conditions[first.resource];
    const statement = new PolicyStatement({
      sid: group,
      actions: [first, ...rest].map(({ action }) => action),
      resources: [...arns],
      ...(conditioned === undefined ? {} : { conditions: conditioned }),
    });
    return { statement, wildcard: kinds[first.resource].wildcard };
  });
}

function sid(resource: Resource, when: When): string {
  const words = when === "always" || when === resource ? [resource] : [resource, "for", when];
  return words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

/** Functions that a role may touch: ARNs with and without a qualifier. */
export interface Functions {
  readonly all: readonly string[];
  readonly qualified: readonly string[];
}

/** Where functions are. */
export interface Place {
  readonly region: string;
  readonly account: string;
  /** `allowedFunctions` of an environment. */
  readonly patterns: readonly string[];
}

/** The ARNs of the functions of some environments. */
export function functionsAt(scope: IConstruct, places: readonly Place[]): Functions {
  const arn = ({ region, account }: Place, name: string) =>
    `arn:${Stack.of(scope).partition}:lambda:${region}:${account}:function:${name}`;
  // A pattern that ends with `*` has the qualifier in it already.
  const forms = (pattern: string) => (pattern.endsWith("*") ? [pattern] : [pattern, `${pattern}:*`]);
  const each = (names: (pattern: string) => readonly string[]) =>
    unique(
      places.flatMap((place) => place.patterns.flatMap((pattern) => names(pattern).map((name) => arn(place, name)))),
    );
  return { all: each(forms), qualified: each((pattern) => [`${pattern}:*`]) };
}

/**
 * What no right of a role goes beyond: functions outside of the allowed names, aliases and whole functions that would be
 * deleted, and Tidegate itself.
 */
export function denied(functions: Functions, own: readonly string[], deletesVersions: boolean): Right[] {
  const deny = (sid: string, rest: ConstructorParameters<typeof PolicyStatement>[0]) => ({
    statement: new PolicyStatement({ sid, effect: Effect.DENY, ...rest }),
  });
  return [
    functions.all.length === 0
      ? deny("NoFunctionHere", { actions: ["lambda:*"], resources: ["*"] })
      : deny("NoOtherFunction", { actions: ["lambda:*"], notResources: [...functions.all] }),
    deny("NeverDeleteAnAlias", { actions: ["lambda:DeleteAlias"], resources: ["*"] }),
    deletesVersions
      ? deny("NeverDeleteAFunction", { actions: ["lambda:DeleteFunction"], notResources: [...functions.qualified] })
      : deny("NeverDeleteAFunction", { actions: ["lambda:DeleteFunction"], resources: ["*"] }),
    ...(own.length === 0 ? [] : [deny("NeverTouchItself", { actions: ["lambda:*"], resources: [...own] })]),
    deny("NeverChangeRights", { actions: ["iam:*"], resources: ["*"] }),
  ];
}

/** Without repetitions, in order. */
export function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
