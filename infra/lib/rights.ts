/** Which rights a role has: at home, and in the environments that it reaches. */
import { Fn, Stack, Token } from "aws-cdk-lib";
import type { IConstruct } from "constructs";
import { allowed, denied, functionsAt, unique, type Resource, type Role, type When } from "./permissions.ts";
import type { PlacedEnvironment } from "./places.ts";
import type { Right } from "./policy.ts";
import { registryOf } from "./registry.ts";

/**
 * What a role may do in environments of one account.
 *
 * @param own ARNs of Tidegate's own functions there, which no pattern of names opens.
 */
export function environmentRights(
  scope: IConstruct,
  role: Role,
  environments: readonly PlacedEnvironment[],
  own: readonly string[],
): { allow: Right[]; deny: Right[] } {
  const pruned = environments.filter(({ props }) => props.versionHousekeeping !== undefined);
  const functions = (some: readonly PlacedEnvironment[]) =>
    functionsAt(
      scope,
      some.map(({ account, region, props }) => ({ account, region, patterns: props.allowedFunctions })),
    );
  const { partition } = Stack.of(scope);
  const each = (arns: (environment: PlacedEnvironment) => readonly string[]) => unique(environments.flatMap(arns));
  const parameter = ({ account, region }: PlacedEnvironment, name: string) =>
    `arn:${partition}:ssm:${region}:${account}:parameter${name}`;
  const resources = (resource: Resource, when: When): readonly string[] => {
    const some = when === "versionHousekeeping" ? pruned : environments;
    switch (resource) {
      case "functions":
        return functions(some).all;
      case "qualifiedFunctions":
        return functions(some).qualified;
      case "repositories":
        return each(({ props: { registries = [], repositories = ["*"] } }) =>
          registries.flatMap((host) => repositories.map((name) => repositoryArn(partition, host, name))),
        );
      case "archives":
        return each(({ props: { buckets = [] } }) => buckets.map((bucket) => `arn:${partition}:s3:::${bucket}/*`));
      case "registryParameters":
        return each((environment) => {
          const registry = registryOf(environment.name, environment.props.registry);
          return registry.form === "perService" ? [parameter(environment, `${registry.folder}/*`)] : [];
        });
      case "registryDocument":
        return each((environment) => {
          const registry = registryOf(environment.name, environment.props.registry);
          return registry.form === "document" ? [parameter(environment, registry.name)] : [];
        });
      case "observations":
        return environments.length > 0 ? ["*"] : [];
      case "any":
      case "configuration":
      case "credential":
      case "credentialKey":
      case "environmentRoles":
      case "hintQueue":
      case "logGroup":
      case "metrics":
      case "stateBucket":
      case "stateDocuments":
      case "stateKey":
      case "stateObjects":
      case "traces":
        return [];
    }
  };
  const deletesVersions = role === "controller" && pruned.length > 0;
  const reachable = functions(environments);
  const deletable = { all: reachable.all, qualified: functions(pruned).qualified };
  return { allow: allowed(role, resources), deny: denied(deletable, own, deletesVersions) };
}

/** ECR's hosts say account and region: `222222222222.dkr.ecr.eu-central-1.amazonaws.com`. */
function repositoryArn(partition: string, host: string, name: string): string {
  // What only deployment knows is taken apart by CloudFormation.
  const parts = Fn.split(".", host, 6);
  const [account = "*", , , region = "*"] = Token.isUnresolved(host) ? parts : host.split(".");
  return `arn:${partition}:ecr:${region}:${account}:repository/${name}`;
}

/** What a role may do at home, where configuration, state and logs are: ARNs by kind of resource. */
export type HomeResources = Partial<Record<Resource, readonly string[]>>;

/** The statements for them. */
export function homeRights(role: Role, home: HomeResources, metricNamespace: string): Right[] {
  return allowed(role, (resource) => home[resource] ?? [], {
    metrics: { StringEquals: { "cloudwatch:namespace": metricNamespace } },
  });
}
