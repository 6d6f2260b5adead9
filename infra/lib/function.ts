/** A function that runs Tidegate's archive: the scheduled controller, and the narrower one for who is on call. */
import { Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import { Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { Function as LambdaFunction, Runtime, Tracing, type Architecture, type Code } from "aws-cdk-lib/aws-lambda";
import { LogGroup, type RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { attach, type Right } from "./policy.ts";

/** A tick ends within it, and a lease is longer: `TIMEOUT` and `LEASE` of the controller. */
export const TIMEOUT = Duration.seconds(60);
export interface ControllerFunctionProps {
  readonly functionName: string;
  readonly description: string;
  readonly code: Code;
  readonly architecture: Architecture;
  readonly memoryMb: number;
  readonly environment: Record<string, string>;
  readonly logRetention: RetentionDays;
}

/** The function, its role and its logs. */
export class ControllerFunction extends Construct {
  readonly function: LambdaFunction;
  readonly role: Role;
  readonly logGroup: LogGroup;
  private readonly name: string;

  constructor(scope: Construct, id: string, props: ControllerFunctionProps) {
    super(scope, id);
    this.name = props.functionName;
    this.logGroup = new LogGroup(this, "Logs", {
      logGroupName: `/aws/lambda/${props.functionName}`,
      retention: props.logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.role = new Role(this, "Role", {
      roleName: props.functionName,
      description: props.description,
      assumedBy: new ServicePrincipal("lambda.amazonaws.com"),
    });
    this.function = new LambdaFunction(this, "Function", {
      functionName: props.functionName,
      description: props.description,
      runtime: Runtime.PROVIDED_AL2023,
      handler: "bootstrap",
      code: props.code,
      architecture: props.architecture,
      memorySize: props.memoryMb,
      timeout: TIMEOUT,
      // Whatever was missed is seen by the next tick; an old event retried would only run beside it.
      retryAttempts: 0,
      maxEventAge: Duration.seconds(60),
      tracing: Tracing.ACTIVE,
      role: this.role.withoutPolicyUpdates(),
      logGroup: this.logGroup,
      environment: props.environment,
    });
  }

  /** The ARN of the function by its name: for policies that the function itself depends on. */
  static arn(scope: Construct, functionName: string): string {
    return Stack.of(scope).formatArn({ service: "lambda", resource: `function:${functionName}` });
  }

  /** Gives the role its rights. */
  grant(rights: Readonly<Record<string, readonly Right[]>>): void {
    for (const [id, members] of Object.entries(rights)) {
      const policies = attach(this, id, this.role, `What ${this.name} may do: ${id}`, members);
      // A function that starts before its rights are there would log an error for nothing.
      this.function.node.addDependency(...policies);
    }
  }
}
