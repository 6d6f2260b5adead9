/** A policy of a role: managed, since all inline ones of a role have 10,240 characters together. */
import { Stack } from "aws-cdk-lib";
import { ManagedPolicy, PolicyDocument, type IRole, type PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import { InvalidProps } from "./problems.ts";

/** A statement that allows something, and why its resources have wildcards, where they have. */
export interface Right {
  readonly statement: PolicyStatement;
  readonly wildcard?: string | undefined;
}

/** IAM's longest document of a managed policy, without whitespace; some is left for names that only deployment knows. */
const LONGEST = 6144 - 400;

/**
 * Gives a role these rights, in as many policies as they take. Each wildcard is acknowledged alone, with its own reason: an
 * unknown one is a finding.
 *
 * @throws InvalidProps where one statement is longer than any policy may be.
 */
export function attach(
  scope: Construct,
  id: string,
  role: IRole,
  description: string,
  rights: readonly Right[],
): ManagedPolicy[] {
  return packed(scope, rights).map((members, index) => {
    const number = index === 0 ? "" : String(index + 1);
    const policy = new ManagedPolicy(scope, `${id}${number}`, {
      description,
      document: new PolicyDocument({ statements: members.map(({ statement }) => statement) }),
      roles: [role],
    });
    acknowledgeWildcards(policy, members);
    return policy;
  });
}

/** In order, into as few as they fit into. No statement is divided: half of a denial would be another denial. */
function packed(scope: Construct, rights: readonly Right[]): Right[][] {
  const policies: Right[][] = [];
  let room = 0;
  for (const right of rights) {
    const length = flat(Stack.of(scope).resolve(right.statement.toStatementJson())).length;
    if (length > LONGEST) {
      throw new InvalidProps(scope.node.path, [
        `${length} characters of names are more than one policy takes (${LONGEST}): allow wider patterns, such as \`Production*\`, in place of single names`,
      ]);
    }
    const last = policies.at(-1);
    if (last === undefined || length > room) {
      policies.push([right]);
      room = LONGEST - length;
    } else {
      last.push(right);
      room -= length;
    }
  }
  return policies;
}

function acknowledgeWildcards(policy: ManagedPolicy, rights: readonly Right[]): void {
  const reasons = new Map<string, Set<string>>();
  for (const { statement, wildcard } of rights) {
    const arns = statement.resources.map((arn) => flat(Stack.of(policy).resolve(arn)));
    for (const arn of wildcard === undefined ? [] : arns.filter((arn) => arn.includes("*"))) {
      reasons.set(arn, (reasons.get(arn) ?? new Set<string>()).add(wildcard ?? ""));
    }
  }
  for (const [arn, why] of reasons) {
    acknowledge(policy, `AwsSolutions-IAM5[Resource::${arn}]`, [...why].join(" "));
  }
}

/** CloudFormation's references as cdk-nag writes them, `<Bucket.Arn>/*`; anything else as JSON. */
function flat(value: unknown): string {
  if (typeof value === "string") {
    return value;
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => JSON.stringify(flat(item))).join()}]`;
  }
  const { Ref, "Fn::GetAtt": attribute, "Fn::Join": joined, ...rest } = value as Partial<Reference>;
  if (joined !== undefined) {
    return joined[1].map(flat).join(joined[0]);
  }
  if (Ref !== undefined || attribute !== undefined) {
    return `<${Ref ?? attribute?.join(".") ?? ""}>`;
  }
  return `{${Object.entries(rest)
    .map(([key, item]) => `"${key}":${JSON.stringify(flat(item))}`)
    .join()}}`;
}

interface Reference {
  readonly Ref: string;
  readonly "Fn::GetAtt": readonly string[];
  readonly "Fn::Join": readonly [string, readonly unknown[]];
}
