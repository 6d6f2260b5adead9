/** The Lambda's zip: an archive that was not built, or that is something else, is told at synthesis. */
import { readFileSync } from "node:fs";
import { Architecture, Code } from "aws-cdk-lib/aws-lambda";

/** What Lambda starts in an archive for its own Linux runtimes. */
const PROGRAM = "bootstrap";
/** What is wrong with an archive, and what to run. */
export function archiveProblems(archive: string | Code, architecture: Architecture): string[] {
  if (typeof archive !== "string") {
    return [];
  }
  const build = `run \`cargo xtask package --arch ${architecture === Architecture.ARM_64 ? "arm64" : "x86_64"}\``;
  let bytes: Buffer;
  try {
    bytes = readFileSync(archive);
  } catch {
    return [`\`archive\` is \`${archive}\`, which was not built: ${build}`];
  }
  const entry = firstEntry(bytes);
  if (entry === undefined) {
    return [`\`archive\` is \`${archive}\`, which is no zip archive: ${build}`];
  }
  return entry === PROGRAM
    ? []
    : [`\`archive\` is \`${archive}\`, which begins with \`${entry}\` and not with \`${PROGRAM}\`: ${build}`];
}

/** The name of a zip's first file, from its local header. */
function firstEntry(bytes: Buffer): string | undefined {
  return bytes.length >= 30 && bytes.readUInt32LE(0) === 0x04034b50
    ? bytes.toString("utf8", 30, 30 + bytes.readUInt16LE(26))
    : undefined;
}

/** The archive as CDK takes it. */
export function codeOf(archive: string | Code): Code {
  return typeof archive === "string" ? Code.fromAsset(archive) : archive;
}
