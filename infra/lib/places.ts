/** Where each environment is: at home, where the controller runs, or in another account or region. */
import type { EnvironmentProps, TidegateControllerProps } from "./props.ts";

/** An environment with its account and region filled in. */
export interface PlacedEnvironment {
  readonly name: string;
  readonly props: EnvironmentProps;
  readonly account: string;
  readonly region: string;
  /** Whether it is in the controller's account, and so reached with the controller's own role. */
  readonly ownAccount: boolean;
  /** Whether its events reach the controller's own event bus by themselves. */
  readonly atHome: boolean;
}

/** All environments, placed: where they say nothing, they are where the controller is. */
export function place(
  { account: home, region: here }: { readonly account: string; readonly region: string },
  props: Pick<TidegateControllerProps, "environments">,
): PlacedEnvironment[] {
  return Object.entries(props.environments).map(([name, environment]) => {
    const { account = home, region = here } = environment;
    const ownAccount = account === home;
    return { name, props: environment, account, region, ownAccount, atHome: ownAccount && region === here };
  });
}

/** What only deployment knows cannot be compared: the stack has to say where it is. */
export function placeProblems(placed: readonly PlacedEnvironment[]): string[] {
  return placed
    .filter(({ ownAccount, props }) => !ownAccount && props.externalId === undefined)
    .map(
      ({ name, account }) =>
        `\`environments.${name}\` is in account ${account}, and not in the stack's: give it an \`externalId\`, and deploy \`TidegateTarget\` there; if it is the same account, give the stack its \`env\``,
    );
}
