/** Props that cannot work are told at synthesis, all at once, each with what to change. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { App, Duration, Stack } from "aws-cdk-lib";
import { Annotations, Match } from "aws-cdk-lib/assertions";
import { Architecture } from "aws-cdk-lib/aws-lambda";
import { describe, expect, it } from "vitest";
import { tidegateApp, type TidegateConfig } from "../lib/app.ts";
import { InvalidProps, TidegateTarget } from "../lib/index.ts";
import type { EnvironmentProps } from "../lib/props.ts";
import { archiveOf, everything, HOME, programFor, sampleArchives, smallest } from "./fixtures.ts";
import { stackIn } from "./templates.ts";

function problemsOf(config: TidegateConfig): readonly string[] {
  try {
    tidegateApp(config);
  } catch (error) {
    if (error instanceof InvalidProps) {
      return error.problems;
    }
    throw error;
  }
  return [];
}

/** The smallest installation, its environment changed. */
function withEnvironment(change: Partial<EnvironmentProps>, name = "staging"): TidegateConfig {
  const { staging } = smallest().environments;
  return { ...smallest(), environments: { [name]: { allowedFunctions: [], ...staging, ...change } } };
}

describe("an installation that works", () => {
  it("has no problem, small or large", () => {
    expect(problemsOf(smallest())).toEqual([]);
    expect(problemsOf(everything())).toEqual([]);
  });
});

describe("an archive", () => {
  it("that was not built is told with the command that builds it", () => {
    expect(problemsOf({ ...smallest(), archive: "target/package/nothing.zip" })).toEqual([
      "`archive` is `target/package/nothing.zip`, which was not built: run `cargo xtask package --arch arm64`",
    ]);
  });

  it("that is no zip, or has another program, is told", () => {
    const text = join(archiveOf("bootstrap"), "..", "text.zip");
    writeFileSync(text, "not a zip archive, though it has enough bytes");
    expect(problemsOf({ ...smallest(), archive: text })[0]).toContain(
      "which is no zip archive: run `cargo xtask package",
    );
    expect(problemsOf({ ...smallest(), archive: archiveOf("tidegate") })[0]).toContain(
      "which begins with `tidegate` and not with `bootstrap`",
    );
  });

  it("that was built for another machine is told what to build, or to set", () => {
    const archive = archiveOf("bootstrap", programFor(62));
    expect(problemsOf({ ...smallest(), archive })).toEqual([
      `\`archive\` is \`${archive}\`, which was built for x86_64 where \`architecture\` is arm64: run \`cargo xtask package --arch arm64\`, or set \`architecture\``,
    ]);
    expect(problemsOf({ ...smallest(), archive, architecture: Architecture.X86_64 })).toEqual([]);
    expect(problemsOf({ ...smallest(), archive: archiveOf("bootstrap", programFor(183)) })).toEqual([]);
  });
});

describe("an environment", () => {
  const cases: [string, Partial<EnvironmentProps>, string][] = [
    [
      "without a name pattern",
      { allowedFunctions: [] },
      '`environments.staging.allowedFunctions` is empty: give the pattern of the functions that may be managed, such as `["Production*"]`',
    ],
    [
      "with an ARN in place of a name",
      { allowedFunctions: ["arn:aws:lambda:eu-central-1:111111111111:function:A"] },
      "`environments.staging.allowedFunctions` has `arn:aws:lambda:eu-central-1:111111111111:function:A`: give names of functions, `*` for any characters; no ARN",
    ],
    [
      "with a registry that is none",
      { registries: ["docker.io"] },
      "`environments.staging.registries` has `docker.io`: give hosts of ECR, such as `222222222222.dkr.ecr.eu-central-1.amazonaws.com`",
    ],
    [
      "that no release could come to",
      { registries: [] },
      "`environments.staging.registries` and `environments.staging.buckets` are both empty: no release could come from anywhere; name the ECR registry of its images, or the bucket of its archives",
    ],
    [
      "with a schedule under a minute",
      { every: Duration.seconds(30) },
      "`environments.staging.every` is 30 seconds: EventBridge Scheduler begins at one minute; use `Duration.minutes(1)`",
    ],
    [
      "with a schedule of a minute and a half",
      { every: Duration.seconds(90) },
      "`environments.staging.every` is 90 seconds: use whole minutes, at most 60",
    ],
    [
      "with two shards that overlap",
      { shards: ["1/2", "2/3"] },
      "`environments.staging.shards` has `1/2` and `2/3`, which overlap: some services would be visited by both; give all the same number of parts",
    ],
    [
      "with shards of two divisions",
      { shards: ["1/2", "2/4"] },
      "`environments.staging.shards` has `1/2` and `2/4`, which are parts of different divisions; give all the same number of parts",
    ],
    [
      "with the same shard twice",
      { shards: ["1/2", "1/2"] },
      "`environments.staging.shards` has `1/2` twice: its services would be visited by both; name each part once",
    ],
    [
      "with a shard that is none",
      { shards: ["3/2"] },
      "`environments.staging.shards` has `3/2`: write part and number of parts, such as `1/2`, up to 64 parts",
    ],
    ["with too many shards", { shards: 65 }, "`environments.staging.shards` is 65: give a whole number from 1 to 64"],
    [
      "with more calls than AWS takes",
      { callBudget: { controlPlane: 16 } },
      "`environments.staging.callBudget.controlPlane` is 16: give a whole number from 1 to 15",
    ],
    [
      "that keeps fewer versions than a rollback may need",
      { versionHousekeeping: { keepVersions: 1 } },
      "`environments.staging.versionHousekeeping.keepVersions` is 1: give a whole number from 5 to 1000",
    ],
    [
      "with a registry that has no name",
      { registry: { form: "document", name: "registry" } },
      "`environments.staging.registry.name` is `registry`: give a parameter's full name, with a slash before it and none behind, such as `/services/registry`",
    ],
    [
      "with a registry below a folder that ends with a slash",
      { registry: { form: "perService", path: "/shop/" } },
      "`environments.staging.registry.path` is `/shop/`: give a parameter's full name, with a slash before it and none behind, such as `/services`",
    ],
    [
      "with a registry in the controller's configuration",
      { registry: { form: "document", name: "/tidegate/main/installation" } },
      "`environments.staging.registry.name` is `/tidegate/main/installation`, which belongs to AWS or to Tidegate's own configuration; use `/services/registry`",
    ],
    [
      "whose account lost its leading zero",
      { account: "12345678901", externalId: "abc" },
      "`environments.staging.account` is `12345678901`: give the 12 digits of an account, in quotes",
    ],
  ];
  it.each(cases)("%s is told what to change", (_, change, problem) => {
    expect(problemsOf(withEnvironment(change))).toEqual([problem]);
  });

  it("whose names are more than a parameter or a policy takes is told to allow patterns", () => {
    const names = (count: number) => Array.from({ length: count }, (_, index) => `StagingFunctionNumber${index}`);
    expect(problemsOf(withEnvironment({ allowedFunctions: names(200) }))[0]).toContain(
      "its configuration has to fit into a parameter of 4 KB: allow wider patterns in place of single names",
    );
    expect(problemsOf(withEnvironment({ allowedFunctions: names(60) }))[0]).toContain(
      "characters of names are more than one policy takes",
    );
    expect(problemsOf(withEnvironment({ allowedFunctions: names(20) }))).toEqual([]);
  });

  it("in another account needs an external id", () => {
    const [problem] = problemsOf({ ...withEnvironment({ account: "222222222222" }), home: HOME });
    expect(problem).toContain("give it an `externalId`, and deploy `TidegateTarget` there");
  });

  it("has a name that a directory of the release repository can have", () => {
    expect(problemsOf(withEnvironment({}, "Staging"))).toEqual([
      "`Staging` is no name of an environment: use at most 32 lower-case letters, digits and dashes",
    ]);
  });

  it("has a name that fits into a role's", () => {
    const config = { ...withEnvironment({}, "a".repeat(32)), installation: "b".repeat(20) };
    expect(problemsOf(config)[0]).toMatch(/would be a role's name, and is 6 characters too long/);
  });

  it("has a document of its own, but in another region or account", () => {
    const { staging } = smallest().environments;
    const usual: EnvironmentProps = { allowedFunctions: [], ...staging, registry: { form: "document" } };
    const both = (test: Partial<EnvironmentProps>) =>
      problemsOf({ ...smallest(), home: HOME, environments: { staging: usual, test: { ...usual, ...test } } });
    expect(both({})).toEqual([
      "`environments.test.registry` is `/services/registry`, as that of `staging` in the same account and region: give it a name of its own, such as `/services/test/registry`",
    ]);
    expect(both({ registry: { form: "document", name: "/services/test/registry" } })).toEqual([]);
    expect(both({ region: "us-east-1" })).toEqual([]);
  });

  it("has to be there at all", () => {
    expect(problemsOf({ ...smallest(), environments: {} })[0]).toMatch(/^`environments` is empty/);
  });
});

const APP = { appId: 1, installationId: 2, privateKey: "/tidegate/main/github-key" };

describe("an installation", () => {
  const { url } = smallest().repository;
  const cases: [string, Partial<TidegateConfig>, string][] = [
    [
      "over plain HTTP",
      { repository: { url: "http://git.acme.example/releases" } },
      "`repository.url` has to begin with `https://`",
    ],
    [
      "with a credential in the address",
      { repository: { url: "https://ann:secret@git.acme.example/r" } },
      "`repository.url` has a credential in it",
    ],
    [
      "with a token where a name belongs",
      { repository: { url, credential: "ghp_abc" } },
      "`repository.credential` is no name of a parameter",
    ],
    [
      "with a GitHub App and a credential",
      { repository: { url, credential: "/tidegate/main/git-token", githubApp: APP } },
      "`repository.githubApp` makes its own credential",
    ],
    [
      "with a GitHub App that has no number",
      { repository: { url, githubApp: { ...APP, installationId: 0.5 } } },
      "`repository.githubApp.installationId` is `0.5`",
    ],
    [
      "with a private key where a name belongs",
      { repository: { url, githubApp: { ...APP, privateKey: "-----BEGIN RSA PRIVATE KEY-----" } } },
      "`repository.githubApp.privateKey` is no name of a parameter",
    ],
    [
      "with GitHub's API over plain HTTP",
      { repository: { url, githubApp: { ...APP, apiUrl: "http://github.acme.example/api/v3" } } },
      "`repository.githubApp.apiUrl` has to begin with `https://`",
    ],
    [
      "that writes back without a right to",
      { repository: { url, writeBack: true } },
      "`repository.writeBack` is on without a `repository.credential`",
    ],
    [
      "with a name that resources cannot have",
      { installation: "Main" },
      "`installation` is `Main`: use at most 20 lower-case letters",
    ],
    [
      "with the on-call function's name",
      { installation: "main-on-call" },
      "`-on-call` is the end of the on-call function's own",
    ],
    ["with a prefix that has slashes", { state: { prefix: "/main/" } }, "`state.prefix` is no prefix"],
    [
      "with an Object Lock of no days",
      { state: { objectLock: { mode: "compliance", days: 0 } } },
      "`state.objectLock.days` is 0",
    ],
    [
      "with impatient alarms",
      { alarms: { driftOlderThan: Duration.seconds(5) } },
      "`alarms.driftOlderThan` is under a minute",
    ],
    ["with pages that run into each other", { alarms: { pages: "https://acme.example" } }, "end it with a slash"],
  ];
  it.each(cases)("%s is told what to change", (_, change, problem) => {
    const problems = problemsOf({ ...smallest(), ...change });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  it("is told everything at once, and never a secret", () => {
    const config = {
      ...withEnvironment({ every: Duration.seconds(10), allowedFunctions: [] }),
      archive: "missing.zip",
      repository: { url: "https://ann:s3cret@git.acme.example/r", credential: "ghp_s3cret" },
    };
    expect(() => tidegateApp(config)).toThrowErrorMatchingInlineSnapshot(`
      [InvalidProps: TidegateController cannot work like this:
        - \`archive\` is \`missing.zip\`, which was not built: run \`cargo xtask package --arch arm64\`
        - \`repository.url\` has a credential in it: put it into a SecureString, and name that in \`repository.credential\`
        - \`repository.credential\` is no name of a parameter: give the SecureString's name, such as \`/tidegate/main/git-token\`, never the token itself
        - \`environments.staging.allowedFunctions\` is empty: give the pattern of the functions that may be managed, such as \`["Production*"]\`
        - \`environments.staging.every\` is 10 seconds: EventBridge Scheduler begins at one minute; use \`Duration.minutes(1)\`]
    `);
    expect(problemsOf(config).join()).not.toContain("s3cret");
  });
});

describe("what works, and should be known,", () => {
  const warnings = (environments: Record<string, EnvironmentProps>) => {
    const stack = stackIn(tidegateApp({ ...smallest(), environments }), "tidegate-main");
    return Annotations.fromStack(stack)
      .findWarning("*", Match.anyValue())
      .map(({ entry }) => (entry.data as string).replace(/ \[ack: .*/, ""));
  };
  const { staging } = smallest().environments;
  const usual: EnvironmentProps = { allowedFunctions: [], ...staging };

  it("is a part that nobody looks at", () => {
    expect(warnings({ staging: { ...usual, shards: ["1/3", "3/3"] } })).toEqual([
      "`environments.staging.shards` leaves out 2/3: services of these parts are not looked at",
    ]);
  });

  it("is more calls promised than an account and region take", () => {
    expect(warnings({ staging: usual, test: usual, demo: usual })).toEqual([
      "`staging`, `test`, `demo` share an account and region, which takes 100 such calls a second, and their `callBudget.getFunction` add up to 150: give each its part",
    ]);
    expect(warnings({ staging: usual, test: usual })).toEqual([]);
  });
});

describe("another account's stack", () => {
  it("has to be where environments are, and not where the controller is", () => {
    const stack = new Stack(new App(), "target", { env: HOME });
    expect(() => new TidegateTarget(stack, "Target", { installation: everything(), home: HOME })).toThrow(
      "the stack is where the controller is",
    );
    const nowhere = new Stack(new App(), "target", { env: { account: "333333333333", region: HOME.region } });
    expect(() => new TidegateTarget(nowhere, "Target", { installation: everything(), home: HOME })).toThrow(
      "no environment is in the stack's account and region",
    );
  });
});

describe("the command line of CDK", () => {
  it("shows what is wrong, and what file to edit", () => {
    const folder = mkdtempSync(join(tmpdir(), "tidegate-infra-"));
    const file = join(folder, "tidegate.config.ts");
    writeFileSync(
      file,
      'export default { archive: "none.zip", repository: { url: "git@example" }, environments: {} };',
    );
    const app = fileURLToPath(new URL("../bin/tidegate.ts", import.meta.url));
    const env = { ...process.env, TIDEGATE_CDK_CONFIG: file, CDK_OUTDIR: join(folder, "out") };
    const { status, stderr } = spawnSync("npx", ["tsx", app], {
      env,
      encoding: "utf8",
      cwd: fileURLToPath(new URL("..", import.meta.url)),
    });
    expect(status).toBe(1);
    expect(stderr).toContain(
      "error: TidegateController cannot work like this:\n  - `archive` is `none.zip`, which was not built: run\n    `cargo xtask package --arch arm64`\n",
    );
    expect(stderr).toContain(`\`${file}\``);
    expect(stderr.match(/^ +- .*/gm)?.every((line) => line.length <= 80)).toBe(true);
    expect(existsSync(join(folder, "out", "manifest.json"))).toBe(false);
  });
});

describe("sample services", () => {
  it("that were not built are told with the command that builds them", () => {
    const problems = problemsOf({ ...smallest(), sampleServices: { environment: "staging", archives: "nowhere" } });
    expect(problems).toContain(
      "`archive` is `nowhere/flight-bff-arm64.zip`, which was not built: run `cargo xtask package --services --arch arm64`",
    );
  });

  it("cannot find each other where there is no registry", () => {
    const config = withEnvironment({ registry: { form: "none" } });
    const sampleServices = { environment: "staging", archives: sampleArchives() };
    expect(problemsOf({ ...config, sampleServices })).toEqual([
      "`environments.staging.registry` is `none`, and `flight-bff` finds the others in one: give it another form, or leave `sampleServices` out",
    ]);
  });
});
