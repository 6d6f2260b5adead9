/** Installations that tests deploy: the smallest one, and one with everything. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { Duration } from "aws-cdk-lib";
import type { TidegateConfig } from "../lib/app.ts";

export const HOME = { account: "111111111111", region: "eu-central-1" };
export const PRODUCTION = "222222222222";

/** The beginning of a program for the machine that ELF has this number for. */
export function programFor(machine: number): Buffer {
  const program = Buffer.alloc(64);
  program.write("\x7fELF", "latin1");
  program.writeUInt16LE(machine, 18);
  return program;
}

/** A zip with one file of this name, as far as anything is looked at: its first entry alone. */
export function archiveOf(file: string, content: Uint8Array = Buffer.alloc(0)): string {
  const path = join(mkdtempSync(join(tmpdir(), "tidegate-infra-")), "archive.zip");
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(8, 8);
  header.writeUInt16LE(file.length, 26);
  writeFileSync(path, Buffer.concat([header, Buffer.from(file), deflateRawSync(content)]));
  return path;
}

/** A folder with an archive of each sample service. */
export function sampleArchives(): string {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-infra-"));
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE("bootstrap".length, 26);
  for (const service of ["flight-service", "reservation-service", "flight-bff"]) {
    writeFileSync(join(folder, `${service}-arm64.zip`), Buffer.concat([header, Buffer.from("bootstrap")]));
  }
  return folder;
}

const REGISTRY = "111111111111.dkr.ecr.eu-central-1.amazonaws.com";

/** As little as works. */
export function smallest(): TidegateConfig {
  return {
    archive: archiveOf("bootstrap"),
    repository: { url: "https://github.com/acme/releases.git" },
    environments: { staging: { allowedFunctions: ["Staging*"], registries: [REGISTRY] } },
  };
}

/** Everything that can be said: an environment at home, one in another account, one in another region. */
export function everything(): TidegateConfig {
  return {
    ...smallest(),
    home: HOME,
    tags: { team: "platform" },
    repository: {
      url: "https://github.com/acme/releases.git",
      branch: "release",
      credential: "/tidegate/main/git-token",
      writeBack: true,
    },
    environments: {
      staging: {
        allowedFunctions: ["Staging*"],
        registries: [REGISTRY],
        repositories: ["company/*"],
        buckets: ["acme-artifacts"],
        versionHousekeeping: { keepVersions: 10 },
        massChange: { percent: 100 },
        callBudget: { getFunction: 40 },
      },
      production: {
        account: PRODUCTION,
        region: HOME.region,
        externalId: "tidegate-3f1c9a",
        allowedFunctions: ["Production*", "Payments"],
        registries: [REGISTRY],
        shards: 2,
        registry: { form: "document", name: "/services/production/registry" },
        versionHousekeeping: { keepDays: 90 },
      },
      overseas: {
        region: "us-east-1",
        allowedFunctions: ["Overseas*"],
        registries: ["111111111111.dkr.ecr.us-east-1.amazonaws.com"],
        every: Duration.minutes(5),
        registry: { form: "none" },
      },
    },
    state: { bucketName: "acme-tidegate", prefix: "main", objectLock: { mode: "governance", days: 30 } },
    alarms: { emails: ["platform@acme.example"], driftOlderThan: Duration.minutes(30) },
    sampleServices: { environment: "staging", archives: sampleArchives() },
  };
}
