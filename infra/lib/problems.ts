/** Which props cannot work, and what to change: all of them at once, before any resource is made. */
import { Token } from "aws-cdk-lib";
import { environmentRoleName } from "./names.ts";
import { secretOf, type EnvironmentProps, type GithubAppProps, type TidegateControllerProps } from "./props.ts";
import { registryProblems } from "./registry.ts";
import { shardProblems, shardsLeftOut } from "./shards.ts";

const NO_URL = { protocol: "", hostname: "", username: "", password: "" };
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
/** AWS's longest name of a role; schedules and functions take as much. */
const LONGEST_NAME = 64;
/** Parameter Store takes 4,096 characters; role and prefix of the registry's name come on top of the props. */
const LONGEST_DOCUMENT = 3600;
/** As the release repository has it: `EnvironmentName` of `release-schema`. */
const ENVIRONMENT = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
const INSTALLATION = /^[a-z0-9](?:[a-z0-9-]{0,18}[a-z0-9])?$/;
/** Lambda's names, with `*` and `?` as the controller reads them. */
const FUNCTION_PATTERN = /^[A-Za-z0-9_*?-]{1,64}$/;
const REGISTRY = /^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?$/;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PARAMETER = /^\/[A-Za-z0-9_.\-/]+[A-Za-z0-9_.-]$/;
const PREFIX = /^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/;

/** Thrown with every problem of the props in its message. */
export class InvalidProps extends Error {
  readonly problems: readonly string[];

  constructor(what: string, problems: readonly string[]) {
    super(`${what} cannot work like this:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
    this.name = "InvalidProps";
    this.problems = problems;
  }
}

/** Every problem of an installation's props, each with what to change. */
export function problemsOf(props: TidegateControllerProps): string[] {
  const installation = props.installation ?? "main";
  const environments = Object.entries(props.environments);
  return [
    ...installationProblems(installation),
    ...repositoryProblems(props),
    ...stateProblems(props),
    ...alarmProblems(props),
    ...(environments.length === 0
      ? ['`environments` is empty: name at least one, such as `{ staging: { allowedFunctions: ["Staging*"] } }`']
      : []),
    ...environments.flatMap(([name, environment]) => environmentProblems(installation, name, environment)),
  ];
}

function installationProblems(installation: string): string[] {
  if (Token.isUnresolved(installation)) {
    return ["`installation` has to be known at synthesis: names of functions and roles are made of it"];
  }
  if (!INSTALLATION.test(installation)) {
    return [
      `\`installation\` is \`${installation}\`: use at most 20 lower-case letters, digits and dashes, such as \`main\``,
    ];
  }
  return installation.endsWith("-on-call")
    ? [
        `\`installation\` is \`${installation}\`: \`-on-call\` is the end of the on-call function's own; choose another name`,
      ]
    : [];
}

function repositoryProblems({ repository }: TidegateControllerProps): string[] {
  const { url, credential, githubApp, username, credentialKeyArn, writeBack } = repository;
  const problems: string[] = [];
  if (!Token.isUnresolved(url)) {
    problems.push(...urlProblems(url));
  }
  if (credential !== undefined && !Token.isUnresolved(credential) && !PARAMETER.test(credential)) {
    problems.push(
      `\`repository.credential\` is no name of a parameter: give the SecureString's name, such as \`/tidegate/main/git-token\`, never the token itself`,
    );
  }
  if (githubApp !== undefined) {
    problems.push(...githubAppProblems(githubApp));
    if (credential !== undefined || username !== undefined) {
      problems.push("`repository.githubApp` makes its own credential: leave `credential` and `username` out");
    }
  }
  if (writeBack === true && secretOf(repository) === undefined) {
    problems.push(
      "`repository.writeBack` is on without a `repository.credential`: name one that may push, or leave write-back out",
    );
  }
  if (
    credentialKeyArn !== undefined &&
    !Token.isUnresolved(credentialKeyArn) &&
    !/^arn:[^:]+:kms:/.test(credentialKeyArn)
  ) {
    problems.push("`repository.credentialKeyArn` is no ARN of a KMS key: an alias's name does not serve in a policy");
  }
  return problems;
}

function githubAppProblems({ appId, installationId, privateKey, apiUrl }: GithubAppProps): string[] {
  const problems: string[] = [];
  for (const [name, number] of Object.entries({ appId, installationId })) {
    if (!Token.isUnresolved(number) && !(Number.isSafeInteger(number) && number > 0)) {
      problems.push(`\`repository.githubApp.${name}\` is \`${number}\`: it is a whole number, from the app's pages`);
    }
  }
  if (!Token.isUnresolved(privateKey) && !PARAMETER.test(privateKey)) {
    problems.push(
      "`repository.githubApp.privateKey` is no name of a parameter: give the SecureString's name, never the key itself",
    );
  }
  if (apiUrl !== undefined && !Token.isUnresolved(apiUrl) && urlProblems(apiUrl).length > 0) {
    problems.push("`repository.githubApp.apiUrl` has to begin with `https://`, without a credential in it");
  }
  return problems;
}

function urlProblems(url: string): string[] {
  const { protocol, hostname, username, password } = URL.canParse(url) ? new URL(url) : NO_URL;
  // As the controller has it: a repository on the machine itself is one of tests.
  if (protocol !== "https:" && !(protocol === "http:" && LOOPBACK.test(hostname))) {
    return ["`repository.url` has to begin with `https://`: no other way to the repository is taken"];
  }
  return username !== "" || password !== ""
    ? ["`repository.url` has a credential in it: put it into a SecureString, and name that in `repository.credential`"]
    : [];
}

function stateProblems({ state }: TidegateControllerProps): string[] {
  const problems: string[] = [];
  const { bucketName, prefix, objectLock, keepReplacedDays } = state ?? {};
  if (bucketName !== undefined && !Token.isUnresolved(bucketName) && !BUCKET.test(bucketName)) {
    problems.push(
      `\`state.bucketName\` is \`${bucketName}\`, which S3 takes for no bucket: 3 to 63 lower-case letters, digits, dots and dashes`,
    );
  }
  if (prefix !== undefined && (Token.isUnresolved(prefix) || !PREFIX.test(prefix))) {
    problems.push("`state.prefix` is no prefix: leave out slashes at its ends, or leave it out for the whole bucket");
  }
  if (objectLock !== undefined && !isWhole(objectLock.days, 1, 36_500)) {
    problems.push(`\`state.objectLock.days\` is ${objectLock.days}: give whole days, from 1 to 36500`);
  }
  if (keepReplacedDays !== undefined && !isWhole(keepReplacedDays, 1, 36_500)) {
    problems.push(`\`state.keepReplacedDays\` is ${keepReplacedDays}: give whole days, from 1 to 36500`);
  }
  return problems;
}

function alarmProblems({ alarms }: TidegateControllerProps): string[] {
  const ages = [
    ["alarms.driftOlderThan", alarms?.driftOlderThan],
    ["alarms.heldLongerThan", alarms?.heldLongerThan],
  ] as const;
  const problems = ages.flatMap(([name, age]) =>
    age !== undefined && age.toSeconds() < 60 ? [`\`${name}\` is under a minute: nothing is looked at more often`] : [],
  );
  if (alarms?.pages !== undefined && !alarms.pages.endsWith("/")) {
    problems.push(`\`alarms.pages\` is \`${alarms.pages}\`: end it with a slash; the page's name follows`);
  }
  return problems;
}

function environmentProblems(installation: string, name: string, environment: EnvironmentProps): string[] {
  const at = (field: string) => `\`environments.${name}.${field}\``;
  const problems: string[] = [];
  if (!ENVIRONMENT.test(name)) {
    problems.push(`\`${name}\` is no name of an environment: use at most 32 lower-case letters, digits and dashes`);
  }
  const longest = environmentRoleName(installation, name, true);
  if (longest.length > LONGEST_NAME) {
    problems.push(
      `\`${longest}\` would be a role's name, and is ${longest.length - LONGEST_NAME} characters too long: shorten the installation's name or the environment's`,
    );
  }
  const length = JSON.stringify(environment).length;
  if (length > LONGEST_DOCUMENT) {
    problems.push(
      `\`environments.${name}\` is ${length} characters, and its configuration has to fit into a parameter of 4 KB: allow wider patterns in place of single names`,
    );
  }
  problems.push(
    ...reachProblems(at, environment),
    ...scheduleProblems(at, environment),
    ...limitProblems(at, environment),
    ...registryProblems(at, environment.registry),
  );
  return problems;
}

type At = (field: string) => string;

function reachProblems(at: At, environment: EnvironmentProps): string[] {
  const { allowedFunctions, registries = [], buckets = [], account, externalId } = environment;
  const problems: string[] = [];
  if (allowedFunctions.length === 0) {
    problems.push(
      `${at("allowedFunctions")} is empty: give the pattern of the functions that may be managed, such as \`["Production*"]\``,
    );
  }
  problems.push(
    ...unfit(allowedFunctions, FUNCTION_PATTERN).map(
      (pattern) =>
        `${at("allowedFunctions")} has \`${pattern}\`: give names of functions, \`*\` for any characters; no ARN`,
    ),
    ...unfit(registries, REGISTRY).map(
      (host) =>
        `${at("registries")} has \`${host}\`: give hosts of ECR, such as \`222222222222.dkr.ecr.eu-central-1.amazonaws.com\``,
    ),
    ...unfit(buckets, BUCKET).map((bucket) => `${at("buckets")} has \`${bucket}\`: give names of buckets; no ARN`),
  );
  if (registries.length === 0 && buckets.length === 0) {
    problems.push(
      `${at("registries")} and ${at("buckets")} are both empty: no release could come from anywhere; name the ECR registry of its images, or the bucket of its archives`,
    );
  }
  if (account !== undefined && !Token.isUnresolved(account) && !/^\d{12}$/.test(account)) {
    problems.push(`${at("account")} is \`${account}\`: give the 12 digits of an account, in quotes`);
  }
  if (externalId !== undefined && !Token.isUnresolved(externalId) && !/^[\w+=,.@:/-]{2,1224}$/.test(externalId)) {
    problems.push(`${at("externalId")} is none that STS takes: use 2 to 1224 letters, digits and \`+=,.@:/-\``);
  }
  return problems;
}

function scheduleProblems(at: At, { every, shards }: EnvironmentProps): string[] {
  const problems: string[] = [];
  if (every !== undefined && !isWhole(every.toSeconds({ integral: false }) / 60, 1, 60)) {
    const seconds = every.toSeconds({ integral: false });
    problems.push(
      seconds < 60
        ? `${at("every")} is ${seconds} seconds: EventBridge Scheduler begins at one minute; use \`Duration.minutes(1)\``
        : `${at("every")} is ${seconds} seconds: use whole minutes, at most 60`,
    );
  }
  return [...problems, ...shardProblems(shards).map((problem) => `${at("shards")} ${problem}`)];
}

function limitProblems(at: At, { massChange, versionHousekeeping, callBudget }: EnvironmentProps): string[] {
  // The controller's own ranges: controller/runtime/src/config.rs and docs/configuration.md.
  const limits: readonly (readonly [string, number | undefined, number, number])[] = [
    ["massChange.percent", massChange?.percent, 0, 100],
    ["massChange.atLeast", massChange?.atLeast, 0, 1_000_000],
    ["versionHousekeeping.keepVersions", versionHousekeeping?.keepVersions, 5, 1000],
    ["versionHousekeeping.keepDays", versionHousekeeping?.keepDays, 1, 3650],
    ["callBudget.getFunction", callBudget?.getFunction, 1, 100],
    ["callBudget.controlPlane", callBudget?.controlPlane, 1, 15],
    ["callBudget.registryWrites", callBudget?.registryWrites, 1, 10],
  ];
  return limits.flatMap(([field, value, least, most]) =>
    value === undefined || isWhole(value, least, most)
      ? []
      : [`${at(field)} is ${value}: give a whole number from ${least} to ${most}`],
  );
}

/** What works, and should be known: shown at synthesis. */
export function warningsOf({ environments }: TidegateControllerProps): string[] {
  const all = Object.entries(environments);
  const leftOut = all.flatMap(([name, { shards }]) => {
    const parts = shardsLeftOut(shards);
    return parts.length === 0
      ? []
      : [`\`environments.${name}.shards\` leaves out ${parts.join(", ")}: services of these parts are not looked at`];
  });
  return [...leftOut, ...sharedRates(all)];
}

/** AWS counts calls by account and region: what environments there are promised together has to exist. */
function sharedRates(environments: readonly (readonly [string, EnvironmentProps])[]): string[] {
  const place = ({ account = "", region = "" }: EnvironmentProps) => `${account} ${region}`;
  const places = [...new Set(environments.map(([, environment]) => place(environment)))];
  // The usual rates are those of `CallBudget` in controller/runtime/src/config.rs.
  const rates = [
    { name: "getFunction", usual: 50, most: 100 },
    { name: "controlPlane", usual: 4, most: 15 },
  ] as const;
  return places.flatMap((here) => {
    const there = environments.filter(([, environment]) => place(environment) === here);
    return rates.flatMap(({ name, usual, most }) => {
      const total = there.reduce((sum, [, { callBudget }]) => sum + (callBudget?.[name] ?? usual), 0);
      const names = there.map(([environment]) => `\`${environment}\``).join(", ");
      return there.length < 2 || total <= most
        ? []
        : [
            `${names} share an account and region, which takes ${most} such calls a second, and their \`callBudget.${name}\` add up to ${total}: give each its part`,
          ];
    });
  });
}

/** Those that do not fit; what is known only at deployment is left to CloudFormation. */
function unfit(values: readonly string[], form: RegExp): string[] {
  return values.filter((value) => !Token.isUnresolved(value) && !form.test(value));
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}
