/** Stacks as templates that tests ask, made once for all of them. */
import { Match, Template } from "aws-cdk-lib/assertions";
import { Stack, type App } from "aws-cdk-lib";
import { tidegateApp, type TidegateConfig } from "../lib/app.ts";
import { everything, smallest } from "./fixtures.ts";

/** A CloudFormation resource. */
export interface Resource {
  readonly Type: string;
  readonly Properties: Record<string, unknown>;
}

/** A statement of a policy. */
export interface Statement {
  readonly Sid?: string;
  readonly Effect: "Allow" | "Deny";
  readonly Action: string | readonly string[];
  readonly Resource?: unknown;
  readonly NotResource?: unknown;
  readonly Condition?: unknown;
}

/** One stack of an installation. */
export function stackIn(app: App, name: string): Stack {
  const stack = app.node.findChild(name);
  if (!(stack instanceof Stack)) {
    throw new TypeError(`${name} is no stack`);
  }
  return stack;
}

function templateIn(app: App, name: string): Template {
  return Template.fromStack(stackIn(app, name));
}

/** The template of one stack of an installation. */
export function templateOf(config: TidegateConfig, stack: string): Template {
  return templateIn(tidegateApp(config), stack);
}

const app = tidegateApp(everything());
/** The installation with everything, by stack. */
export const full = {
  home: templateIn(app, "tidegate-main"),
  account: templateIn(app, "tidegate-main-222222222222-eu-central-1"),
  region: templateIn(app, "tidegate-main-111111111111-us-east-1"),
  samples: templateIn(app, "tidegate-main-sample-services"),
};
/** The smallest installation. */
export const small = templateOf(smallest(), "tidegate-main");

/** Resources of a type by their logical ids. */
export function resources(template: Template, type: string): Record<string, Resource> {
  return template.findResources(type) as Record<string, Resource>;
}

/** A value with CloudFormation's references written out: `<Bucket.Arn>/*`. */
export function flat(value: unknown): string {
  if (typeof value === "string") {
    return value;
  }
  const known = value as { Ref?: string; "Fn::GetAtt"?: string[]; "Fn::Join"?: [string, unknown[]] };
  const joined = known["Fn::Join"];
  if (joined !== undefined) {
    return joined[1].map(flat).join(joined[0]);
  }
  return `<${known.Ref ?? known["Fn::GetAtt"]?.join(".") ?? JSON.stringify(value)}>`;
}

/** All statements of the managed policies whose description has this text. */
export function statements(template: Template, described: string): Statement[] {
  const policies = Object.values(resources(template, "AWS::IAM::ManagedPolicy"));
  return policies
    .filter(({ Properties }) => String(Properties["Description"]).includes(described))
    .flatMap(({ Properties }) => (Properties["PolicyDocument"] as { Statement: Statement[] }).Statement);
}

/** One value or many, as many. */
export function many<T>(value: T | readonly T[] | undefined): readonly T[] {
  return value === undefined ? [] : Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

export { Match };
