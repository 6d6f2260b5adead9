/** Where state is stored: versioned, encrypted, and with a history that nobody writes over. */
import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { AnyPrincipal, Effect, PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Key } from "aws-cdk-lib/aws-kms";
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  ObjectLockRetention,
  ObjectOwnership,
  type LifecycleRule,
} from "aws-cdk-lib/aws-s3";
import { Construct } from "constructs";
import { acknowledge } from "./acknowledge.ts";
import type { StateProps } from "./props.ts";

/** What a tick writes each time: nobody ever asks for the one before the last. */
const WRITTEN_EACH_TICK = ["lease/", "status/"];
const KEEP_REPLACED_DAYS = 90;

/** The bucket, and its key where it has one of its own. */
export class StateBucket extends Construct {
  readonly bucket: Bucket;
  readonly key: Key | undefined;
  /** With a slash at its end; empty for the whole bucket. */
  readonly folder: string;

  constructor(scope: Construct, id: string, installation: string, props: StateProps = {}) {
    super(scope, id);
    const removalPolicy = props.removalPolicy ?? RemovalPolicy.RETAIN;
    this.folder = props.prefix === undefined ? "" : `${props.prefix}/`;
    this.key =
      props.encryption === "s3"
        ? undefined
        : new Key(this, "Key", {
            alias: `tidegate-${installation}`,
            description: `State and credential of Tidegate's installation ${installation}`,
            enableKeyRotation: true,
            removalPolicy,
          });
    this.bucket = new Bucket(this, "Bucket", {
      ...(props.bucketName === undefined ? {} : { bucketName: props.bucketName }),
      ...(this.key === undefined
        ? { encryption: BucketEncryption.S3_MANAGED }
        : // One key for a while for all objects: without it each tick would pay KMS for each of its calls.
          { encryption: BucketEncryption.KMS, encryptionKey: this.key, bucketKeyEnabled: true }),
      versioned: true,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: lifecycle(this.folder, props.keepReplacedDays ?? KEEP_REPLACED_DAYS),
      ...(props.objectLock === undefined ? {} : { objectLockDefaultRetention: retention(props.objectLock) }),
      removalPolicy,
    });
    for (const statement of this.historyIsKept()) {
      this.bucket.addToResourcePolicy(statement);
    }
    acknowledge(
      this.bucket,
      "AwsSolutions-S1",
      "Access logs would need a second bucket. Who wrote what is in the history itself, chained by hash; object events can be logged by the account's CloudTrail.",
    );
  }

  /** The ARN of the objects whose names begin so. */
  objects(beginning = ""): string {
    return this.bucket.arnForObjects(`${this.folder}${beginning}*`);
  }

  /**
   * For everybody, administrators included: a record is created once, the head of a history only replaced by who read it,
   * and nothing of it deleted. Whoever really has to takes these statements away first, which CloudTrail shows.
   */
  private historyIsKept(): PolicyStatement[] {
    const deny = (sid: string, actions: string[], resource: string, missing: readonly string[] = []) =>
      new PolicyStatement({
        sid,
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions,
        resources: [this.bucket.arnForObjects(`${this.folder}history/${resource}`)],
        ...(missing.length === 0
          ? {}
          : { conditions: { Null: Object.fromEntries(missing.map((header) => [header, "true"])) } }),
      });
    return [
      // Records are `0000000042.json`. Four zeros: with fewer, the head of a short service's history would look like one.
      deny("RecordsAreOnlyCreated", ["s3:PutObject"], "*/0000??????.json", ["s3:if-none-match"]),
      deny("NothingIsWrittenBlindly", ["s3:PutObject"], "*", ["s3:if-none-match", "s3:if-match"]),
      deny("NothingIsDeleted", ["s3:DeleteObject", "s3:DeleteObjectVersion"], "*"),
    ];
  }
}

function lifecycle(folder: string, keepReplacedDays: number): LifecycleRule[] {
  return [
    ...WRITTEN_EACH_TICK.map((prefix) => ({
      id: `replaced-${prefix.replace("/", "")}`,
      prefix: `${folder}${prefix}`,
      noncurrentVersionExpiration: Duration.days(1),
      expiredObjectDeleteMarker: true,
    })),
    ...["state/", "desired/"].map((prefix) => ({
      id: `replaced-${prefix.replace("/", "")}`,
      prefix: `${folder}${prefix}`,
      noncurrentVersionExpiration: Duration.days(keepReplacedDays),
      expiredObjectDeleteMarker: true,
    })),
    { id: "uploads-that-never-ended", abortIncompleteMultipartUploadAfter: Duration.days(1) },
  ];
}

function retention({ mode, days }: NonNullable<StateProps["objectLock"]>): ObjectLockRetention {
  const duration = Duration.days(days);
  return mode === "compliance" ? ObjectLockRetention.compliance(duration) : ObjectLockRetention.governance(duration);
}
