/** Writes the plain CloudFormation template; with `-- <installation> <environment>` prints one for these names instead. */
import { writeFileSync } from "node:fs";
import { template, TEMPLATE_NAMES } from "../lib/template.ts";

const [installation, environment] = process.argv.slice(2);
if (installation === undefined || environment === undefined) {
  writeFileSync(new URL("../cloudformation/tidegate.template.yaml", import.meta.url), template(TEMPLATE_NAMES));
} else {
  process.stdout.write(template({ installation, environment }));
}
