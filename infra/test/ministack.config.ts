/** What the tests deploy for real, into a look-alike of AWS: everything, for one environment of the sample services. */
import { join } from "node:path";
import { Architecture } from "aws-cdk-lib/aws-lambda";
import type { TidegateConfig } from "../lib/app.ts";

function given(name: string): string {
  const value = process.env[name];
  if (value === undefined) {
    throw new Error(`${name} is not set: cargo xtask test sets it`);
  }
  return value;
}

const [suffix, architecture] =
  process.arch === "arm64" ? (["arm64", Architecture.ARM_64] as const) : (["x86_64", Architecture.X86_64] as const);
const archives = given("ARCHIVES");

const config: TidegateConfig = {
  archive: join(archives, `tidegate-lambda-${suffix}.zip`),
  architecture,
  repository: { url: given("RELEASE_REPOSITORY") },
  environments: { staging: { allowedFunctions: ["Staging*"] } },
  terminationProtection: false,
  sampleServices: { environment: "staging", archives, architecture },
};

export default config;
