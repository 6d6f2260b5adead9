/** The Lambda's zip: an archive that was not built, or that is something else, is told at synthesis. */
import { readFileSync } from "node:fs";
import { constants, inflateRawSync } from "node:zlib";
import { Architecture, Code } from "aws-cdk-lib/aws-lambda";

/** What Lambda starts in an archive for its own Linux runtimes. */
const PROGRAM = "bootstrap";
/** ELF's numbers of the machines that Lambda has. */
const MACHINES: Readonly<Record<number, string>> = { 62: "x86_64", 183: "arm64" };
const ELF = 0x464c457f;
/** Of a zip's entry: its local header, without its name. */
const HEADER = { length: 30, magic: 0x04034b50, method: 8, nameLength: 26, extraLength: 28 };
const DEFLATED = 8;

/** What is wrong with an archive, and what to run. */
export function archiveProblems(archive: string | Code, architecture: Architecture): string[] {
  if (typeof archive !== "string") {
    return [];
  }
  const wanted = architecture === Architecture.ARM_64 ? "arm64" : "x86_64";
  const build = `run \`cargo xtask package --arch ${wanted}\``;
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
  if (entry.name !== PROGRAM) {
    return [`\`archive\` is \`${archive}\`, which begins with \`${entry.name}\` and not with \`${PROGRAM}\`: ${build}`];
  }
  const machine = machineOf(entry.beginning);
  return machine === undefined || machine === wanted
    ? []
    : [
        `\`archive\` is \`${archive}\`, which was built for ${machine} where \`architecture\` is ${wanted}: ${build}, or set \`architecture\``,
      ];
}

/** A zip's first file: its name, and how it begins. */
function firstEntry(bytes: Buffer): { name: string; beginning: Buffer } | undefined {
  if (bytes.length < HEADER.length || bytes.readUInt32LE(0) !== HEADER.magic) {
    return undefined;
  }
  const name = HEADER.length + bytes.readUInt16LE(HEADER.nameLength);
  const data = bytes.subarray(name + bytes.readUInt16LE(HEADER.extraLength)).subarray(0, 1024);
  return {
    name: bytes.toString("utf8", HEADER.length, name),
    beginning: bytes.readUInt16LE(HEADER.method) === DEFLATED ? inflated(data) : data,
  };
}

/** What the beginning of a stream says, so far as it goes. */
function inflated(data: Buffer): Buffer {
  try {
    return inflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return Buffer.alloc(0);
  }
}

/** The machine that a program is for, where it is an ELF file of one that Lambda has. */
function machineOf(program: Buffer): string | undefined {
  return program.length >= 20 && program.readUInt32LE(0) === ELF ? MACHINES[program.readUInt16LE(18)] : undefined;
}

/** The archive as CDK takes it. */
export function codeOf(archive: string | Code): Code {
  return typeof archive === "string" ? Code.fromAsset(archive) : archive;
}
