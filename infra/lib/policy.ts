/** A policy of a role: managed, since all inline ones of a role have 10,240 characters together. */
import { Stack } from "aws-cdk-lib";
import { ManagedPolicy, PolicyDocument, type IRole, type PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";

/** A statement that allows something, and why its resources have wildcards, where they have. */
export interface Right {
  readonly statement: PolicyStatement;
  readonly wildcard?: string | undefined;
}

/** Gives a role these rights. Each wildcard is acknowledged alone, with its own reason: an unknown one is a finding. */
export function attach(
  scope: Construct,
  id: string,
  role: IRole,
  description: string,
  rights: readonly Right[],
): ManagedPolicy {
  const statements = rights.map(({ statement }) => statement);
  const policy = new ManagedPolicy(scope, id, {
    description,
    document: new PolicyDocument({ statements }),
    roles: [role],
  });
  const reasons = new Map<string, Set<string>>();
  for (const { statement, wildcard } of rights) {
    const found = statement.resources
      .map((arn) => flat(Stack.of(scope).resolve(arn)))
      .filter((arn) => arn.includes("*"));
    if (wildcard === undefined) {
      continue;
    }
    for (const arn of found) {
      reasons.set(arn, (reasons.get(arn) ?? new Set<string>()).add(wildcard));
    }
  }
  for (const [arn, why] of reasons) {
    acknowledge(policy, `AwsSolutions-IAM5[Resource::${arn}]`, [...why].join(" "));
  }
  return policy;
}

/** CloudFormation's references as cdk-nag writes them: `<Bucket.Arn>/*`. */
function flat(value: unknown): string {
  if (typeof value === "string") {
    return value;
  }
  const { Ref, "Fn::GetAtt": attribute, "Fn::Join": joined } = value as Partial<Reference>;
  if (joined !== undefined) {
    return joined[1].map(flat).join(joined[0]);
  }
  return attribute === undefined ? `<${Ref ?? ""}>` : `<${attribute.join(".")}>`;
}

interface Reference {
  readonly Ref: string;
  readonly "Fn::GetAtt": readonly string[];
  readonly "Fn::Join": readonly [string, readonly unknown[]];
}
