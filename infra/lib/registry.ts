/** The service registry of an environment: which parameters it is, and what of the props cannot be one. */
import { Token } from "aws-cdk-lib";
import type { PlacedEnvironment } from "./places.ts";
import type { RegistryProps } from "./props.ts";

/** As the controller has it where nobody says otherwise: controller/runtime/src/config/registry.rs. */
const USUAL: RegistryProps = { form: "perService" };
const USUAL_PATH = "/services";
const USUAL_DOCUMENT = "/services/registry";
const LONGEST_NAME = 500;
const NAME = /^(?:\/[A-Za-z0-9_.-]+)+$/;
/** AWS's own names, and the controller's configuration. */
const RESERVED = /^\/(?:aws[^/]*|ssm[^/]*|tidegate)(?:\/|$)/i;

/** Where an environment's services find each other, with nothing left to a default. */
export type Registry =
  /** Below a folder, which has no slash at its end, with a parameter for each. */
  | { readonly form: "perService"; readonly folder: string }
  | { readonly form: "document"; readonly name: string }
  | { readonly form: "none" };

/** The registry of an environment. */
export function registryOf(environment: string, registry: RegistryProps = USUAL): Registry {
  switch (registry.form) {
    case "perService":
      return { form: "perService", folder: `${registry.path ?? USUAL_PATH}/${environment}` };
    case "document":
      return { form: "document", name: registry.name ?? USUAL_DOCUMENT };
    case "none":
      return registry;
  }
}

/** What is wrong with a registry's place. */
export function registryProblems(at: (field: string) => string, registry: RegistryProps = USUAL): string[] {
  if (registry.form === "none") {
    return [];
  }
  const [field, name, usual] =
    registry.form === "document"
      ? (["registry.name", registry.name, USUAL_DOCUMENT] as const)
      : (["registry.path", registry.path, USUAL_PATH] as const);
  if (name === undefined || Token.isUnresolved(name)) {
    return [];
  }
  if (name.length > LONGEST_NAME || !NAME.test(name)) {
    return [
      `${at(field)} is \`${name}\`: give a parameter's full name, with a slash before it and none behind, such as \`${usual}\``,
    ];
  }
  return RESERVED.test(name)
    ? [`${at(field)} is \`${name}\`, which belongs to AWS or to Tidegate's own configuration; use \`${usual}\``]
    : [];
}

/** Documents that two environments would share: the controller writes over nobody else's, so one of them would have none. */
export function sharedDocuments(placed: readonly PlacedEnvironment[]): string[] {
  const first = new Map<string, string>();
  return placed.flatMap(({ name, account, region, props }) => {
    const registry = registryOf(name, props.registry);
    if (registry.form !== "document") {
      return [];
    }
    const place = `${account} ${region} ${registry.name}`;
    const other = first.get(place);
    first.set(place, other ?? name);
    return other === undefined
      ? []
      : [
          `\`environments.${name}.registry\` is \`${registry.name}\`, as that of \`${other}\` in the same account and region: give it a name of its own, such as \`/services/${name}/registry\``,
        ];
  });
}
