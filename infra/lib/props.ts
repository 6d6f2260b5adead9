/** What a team says of its installation. Everything that can be left out has a default that suits most. */
import type { Duration, RemovalPolicy } from "aws-cdk-lib";
import type { Architecture, Code } from "aws-cdk-lib/aws-lambda";
import type { RetentionDays } from "aws-cdk-lib/aws-logs";
import type { ITopic } from "aws-cdk-lib/aws-sns";

/** One installation: a controller, its state, and what watches over it. */
export interface TidegateControllerProps {
  /**
   * The installation's name: lower-case letters, digits and dashes. Functions, roles and parameters are called after it.
   *
   * @default "main"
   */
  readonly installation?: string;
  /** The zip of the Lambda, as `cargo xtask package` makes it; or code that lies elsewhere, such as in a bucket. */
  readonly archive: string | Code;
  /**
   * What the archive was built for.
   *
   * @default Architecture.ARM_64
   */
  readonly architecture?: Architecture;
  /** The release repository. */
  readonly repository: RepositoryProps;
  /** The environments by name, as directories below `environments/` are called in the release repository. */
  readonly environments: Readonly<Record<string, EnvironmentProps>>;
  /** Where state is stored, and how it is kept. */
  readonly state?: StateProps;
  /**
   * How long logs are kept.
   *
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays;
  /** When people are woken, and how. */
  readonly alarms?: AlarmProps;
  /**
   * CloudWatch's namespace for the metrics.
   *
   * @default "Tidegate"
   */
  readonly metricNamespace?: string;
  /**
   * Whether changes by hand and alarms make the controller look at once, instead of at the next tick. Changes by hand are
   * only told to EventBridge where a CloudTrail trail logs management events.
   *
   * @default true
   */
  readonly hints?: boolean;
  /**
   * Whether there is a second function with fewer rights, for `rollback`, `abort` and `pause`.
   *
   * @default true
   */
  readonly onCall?: boolean;
  /**
   * Whether there is a dashboard.
   *
   * @default true
   */
  readonly dashboard?: boolean;
}

/** The release repository, and how it is reached. */
export interface RepositoryProps {
  /** `https://…`, without a credential in it. */
  readonly url: string;
  /**
   * The branch that is deployed.
   *
   * @default "main"
   */
  readonly branch?: string;
  /**
   * Name of the SecureString with the password or token, such as `/tidegate/main/git-token`. CloudFormation cannot make
   * one: the stack's output says the command that does.
   *
   * @default - the repository is public
   */
  readonly credential?: string;
  /**
   * The GitHub App that makes short-lived tokens, in place of a credential.
   *
   * @default - none
   */
  readonly githubApp?: GithubAppProps;
  /**
   * ARN of the KMS key that the credential, or the app's private key, is encrypted with.
   *
   * @default - the state's own key, or the account's `aws/ssm` where there is none
   */
  readonly credentialKeyArn?: string;
  /**
   * The user that goes with the credential.
   *
   * @default "x-access-token"
   */
  readonly username?: string;
  /**
   * Whether a rollback is told with a branch in the release repository.
   *
   * @default - where there is a credential, or an app
   */
  readonly writeBack?: boolean;
}

/** An installation of a GitHub App. */
export interface GithubAppProps {
  /** The app's number, from its settings. */
  readonly appId: number;
  /** The number of its installation, from that page's address. */
  readonly installationId: number;
  /**
   * Name of the SecureString with one of the app's private keys, such as `/tidegate/main/github-key`. CloudFormation
   * cannot make one: the stack's output says the command that does.
   */
  readonly privateKey: string;
  /**
   * GitHub's API; of an own GitHub Enterprise Server `https://HOST/api/v3`.
   *
   * @default "https://api.github.com"
   */
  readonly apiUrl?: string;
}

/** The SecureString that opens a private repository, whichever kind it is. */
export function secretOf({ credential, githubApp }: RepositoryProps): string | undefined {
  return credential ?? githubApp?.privateKey;
}

/** One environment: where it is, what a merge can reach in it, and how often it is looked at. */
export interface EnvironmentProps {
  /**
   * The account of its functions. Another one than the stack's needs a `TidegateTarget` deployed there.
   *
   * @default - the stack's
   */
  readonly account?: string;
  /**
   * The region of its functions. Another one than the stack's needs a `TidegateTarget` there, for hints.
   *
   * @default - the stack's
   */
  readonly region?: string;
  /** What the role in another account asks for; needed there. It is no secret: any text that nobody else uses. */
  readonly externalId?: string;
  /** Names of the functions that may be managed, `*` for any characters: `["Production*"]`. */
  readonly allowedFunctions: readonly string[];
  /**
   * Hosts of the ECR registries that images may come from; the first is that of repositories without a host.
   *
   * @default - none: zip functions only
   */
  readonly registries?: readonly string[];
  /**
   * Names of the repositories in these registries that may be read, `*` for any characters.
   *
   * @default ["*"]
   */
  readonly repositories?: readonly string[];
  /**
   * Buckets that zip archives may come from.
   *
   * @default - none: image functions only
   */
  readonly buckets?: readonly string[];
  /**
   * How often it is looked at: whole minutes, at most an hour.
   *
   * @default Duration.minutes(1)
   */
  readonly every?: Duration;
  /**
   * Into how many parts its services are divided, each with a schedule of its own; or the names of the parts, `["1/2", "2/2"]`,
   * where only some of them shall run.
   *
   * @default - not divided
   */
  readonly shards?: number | readonly string[];
  /** How much one commit may change without a person's word. */
  readonly massChange?: { readonly percent?: number; readonly atLeast?: number };
  /**
   * Whether a branch that was rewritten is followed without a person's word.
   *
   * @default false
   */
  readonly allowHistoryRewrite?: boolean;
  /**
   * How long published versions are kept. Only with this may the controller delete any.
   *
   * @default - no version is ever deleted
   */
  readonly versionHousekeeping?: { readonly keepVersions?: number; readonly keepDays?: number };
  /** What its ticks may call in a second. */
  readonly callBudget?: {
    readonly getFunction?: number;
    readonly controlPlane?: number;
    readonly registryWrites?: number;
  };
  /**
   * Where its services find each other in Parameter Store: a parameter for each, one document of all, or nothing.
   *
   * @default { form: "perService", path: "/services" }
   */
  readonly registry?: RegistryProps;
}

/** The form of the service registry, and where it stands. */
export type RegistryProps =
  /** A parameter for each service, `<path>/<environment>/<service>`. The path is `/services` by default. */
  | { readonly form: "perService"; readonly path?: string }
  /** One parameter with all services, about 30 at most. Its name is `/services/registry` by default. */
  | { readonly form: "document"; readonly name?: string }
  /** None: the services find each other otherwise. */
  | { readonly form: "none" };

/** The state bucket. */
export interface StateProps {
  /**
   * The bucket's name.
   *
   * @default - CloudFormation chooses one
   */
  readonly bucketName?: string;
  /**
   * Below which everything is stored, without a slash at either end.
   *
   * @default - the whole bucket
   */
  readonly prefix?: string;
  /**
   * `own` makes a KMS key for the bucket; `s3` leaves the key to S3, which costs nothing.
   *
   * @default "own"
   */
  readonly encryption?: "own" | "s3";
  /**
   * For how long no version of any object can be deleted, by nobody in `compliance` mode. It can only be chosen when the
   * bucket is made, and keeps what a tick writes as well: docs/install.md says what that costs.
   *
   * @default - none; a policy denies deleting history all the same
   */
  readonly objectLock?: { readonly mode: "governance" | "compliance"; readonly days: number };
  /**
   * For how many days replaced versions of what people changed are kept. Those of leases and statuses go after one.
   *
   * @default 90
   */
  readonly keepReplacedDays?: number;
  /**
   * What becomes of bucket and key with the stack.
   *
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy;
}

/** When people are woken, and how. */
export interface AlarmProps {
  /**
   * Where alarms are sent.
   *
   * @default - a topic of its own
   */
  readonly topic?: ITopic;
  /**
   * Who gets the topic's messages. Each has to confirm it once.
   *
   * @default - nobody
   */
  readonly emails?: readonly string[];
  /**
   * How old a change by hand may become.
   *
   * @default Duration.hours(1)
   */
  readonly driftOlderThan?: Duration;
  /**
   * How long a rolled back release may be held out.
   *
   * @default Duration.hours(24)
   */
  readonly heldLongerThan?: Duration;
  /**
   * Where the page of each alarm lies, with a slash at its end; the alarm's name and `.md` follow.
   *
   * @default "https://github.com/tidegate/tidegate/blob/main/docs/operations/"
   */
  readonly pages?: string;
}
