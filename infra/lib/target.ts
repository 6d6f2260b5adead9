/**
 * What Tidegate needs in another account or region: the roles through which its environments are reached, and rules that
 * send hints home. Small, so that whoever owns that account can read all of it.
 */
import { Stack } from "aws-cdk-lib";
import { EventBus as HomeBus, Rule, type EventPattern } from "aws-cdk-lib/aws-events";
import { EventBus as ToBus } from "aws-cdk-lib/aws-events-targets";
import { AccountPrincipal, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Construct } from "constructs";
import { alarmsThatGoOff, changesByHand } from "./hints.ts";
import { busName, controllerName, environmentRoleName, forwarderRoleName, onCallName } from "./names.ts";
import { place } from "./places.ts";
import { attach } from "./policy.ts";
import { InvalidProps, problemsOf } from "./problems.ts";
import type { TidegateControllerProps } from "./props.ts";
import { environmentRights } from "./rights.ts";

/** The installation whose environments are here, as its own stack was given it. */
export interface TidegateTargetProps {
  /** The same props as the controller's. Those environments count that are in this stack's account and region. */
  readonly installation: Pick<
    TidegateControllerProps,
    "installation" | "environments" | "hints" | "onCall" | "archive" | "repository"
  >;
  /** Where the controller is. */
  readonly home: { readonly account: string; readonly region: string };
}

/** Roles and rules in one account and region. */
export class TidegateTarget extends Construct {
  constructor(scope: Construct, id: string, { installation: props, home }: TidegateTargetProps) {
    super(scope, id);
    const { account, region } = Stack.of(this);
    const problems = problemsOf(props);
    if (account === home.account && region === home.region) {
      problems.push("the stack is where the controller is: `TidegateController` alone reaches these environments");
    }
    const here = place(home, props).filter(
      (environment) => environment.account === account && environment.region === region,
    );
    if (here.length === 0) {
      problems.push(
        "no environment is in the stack's account and region: give the stack its `env`, as the environments have it",
      );
    }
    if (problems.length > 0) {
      throw new InvalidProps("TidegateTarget", problems);
    }
    const installation = props.installation ?? "main";
    const otherAccount = account !== home.account;
    if (otherAccount) {
      for (const environment of here) {
        const trusted = props.onCall === false ? [false] : [false, true];
        for (const onCall of trusted) {
          this.role(installation, environment, home.account, onCall);
        }
      }
    }
    if (props.hints !== false) {
      const { partition } = Stack.of(this);
      const own = otherAccount
        ? here.map(
            ({ name }) => `arn:${partition}:iam::${account}:role/${environmentRoleName(installation, name, false)}`,
          )
        : [`arn:${partition}:iam::${account}:role/${controllerName(installation)}`];
      this.forward(installation, home, own);
    }
  }

  /** The role of one environment, for the controller or for who is on call. */
  private role(
    installation: string,
    environment: ReturnType<typeof place>[number],
    home: string,
    onCall: boolean,
  ): void {
    const trusted = onCall ? onCallName(installation) : controllerName(installation);
    const { externalId } = environment.props;
    const role = new Role(this, `${environment.name}${onCall ? "-on-call" : ""}`, {
      roleName: environmentRoleName(installation, environment.name, onCall),
      description: `How ${trusted} of account ${home} reaches ${environment.name}`,
      // The account, with the role as a condition: a trust that names a role is refused until the role exists.
      assumedBy: new AccountPrincipal(home).withConditions({
        ArnEquals: { "aws:PrincipalArn": `arn:${Stack.of(this).partition}:iam::${home}:role/${trusted}` },
        StringEquals: { "sts:ExternalId": externalId },
      }),
    });
    const rights = environmentRights(this, onCall ? "onCall" : "controller", [environment], []);
    attach(role, "Allow", role, `What ${trusted} may do in ${environment.name}`, rights.allow);
    attach(role, "Deny", role, `What ${trusted} may never do in ${environment.name}`, rights.deny);
  }

  private forward(installation: string, home: TidegateTargetProps["home"], own: readonly string[]): void {
    const { partition, region } = Stack.of(this);
    const arn = `arn:${partition}:events:${home.region}:${home.account}:event-bus/${busName(installation)}`;
    const role = new Role(this, "Forwarder", {
      roleName: forwarderRoleName(installation, region),
      description: `Sends hints to Tidegate in account ${home.account}`,
      assumedBy: new ServicePrincipal("events.amazonaws.com"),
    });
    const target = new ToBus(HomeBus.fromEventBusArn(this, "Home", arn), { role });
    const rule = (id: string, description: string, eventPattern: EventPattern) =>
      new Rule(this, id, { description, eventPattern, targets: [target] });
    rule("Changes", "Tells Tidegate of functions that somebody changed", changesByHand(own));
    rule("Alarms", "Tells Tidegate of alarms that may gate a release", alarmsThatGoOff(installation));
  }
}
