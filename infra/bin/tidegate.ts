/** What the CDK command line runs: every stack of `tidegate.config.ts`, or of the file that `TIDEGATE_CDK_CONFIG` names. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { tidegateApp, type TidegateConfig } from "../lib/app.ts";
import { fold } from "../lib/fold.ts";
import { InvalidProps } from "../lib/problems.ts";

const file = resolve(process.env["TIDEGATE_CDK_CONFIG"] ?? new URL("../tidegate.config.ts", import.meta.url).pathname);
const { default: config } = (await import(pathToFileURL(file).href)) as { default: TidegateConfig };
try {
  tidegateApp(config).synth();
} catch (error) {
  if (!(error instanceof InvalidProps)) {
    throw error;
  }
  console.error(fold(`error: ${error.message}\nhint: edit \`${file}\``));
  // At once: CDK would go on and write what there is of the stacks.
  process.exit(1);
}
