/** Findings of cdk-nag that stand, each with its reason, right where the resource is. */
import { Validations } from "aws-cdk-lib";
import type { IConstruct } from "constructs";

/** Lets a finding about this construct stand. */
export function acknowledge(construct: IConstruct, id: string, reason: string): void {
  Validations.of(construct).acknowledge({ id, reason });
}
