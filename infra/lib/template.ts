/** Plain CloudFormation for teams without CDK: one installation with one environment, everything else a parameter. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, CfnParameter, DefaultStackSynthesizer, Stack } from "aws-cdk-lib";
import { Architecture, Code } from "aws-cdk-lib/aws-lambda";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { stringify } from "yaml";
import { TidegateController } from "./controller.ts";

/** What the template is made for: resources are called after these, so they are no parameters. */
export interface TemplateNames {
  readonly installation: string;
  readonly environment: string;
}

/** The checked-in template's. */
export const TEMPLATE_NAMES: TemplateNames = { installation: "main", environment: "production" };

/** The template as YAML. */
export function template({ installation, environment }: TemplateNames): string {
  const outdir = mkdtempSync(join(tmpdir(), "tidegate-template-"));
  const app = new App({ analyticsReporting: false, outdir });
  // No file is uploaded with it, so nothing has to be bootstrapped.
  const synthesizer = new DefaultStackSynthesizer({ generateBootstrapVersionRule: false });
  const stack = new Stack(app, "tidegate", {
    synthesizer,
    description: `Tidegate, installation ${installation}: brings the Lambda functions of ${environment} to what Git says`,
  });
  const parameter = (id: string, description: string, rest: Partial<CfnParameterForm> = {}) =>
    new CfnParameter(stack, id, { type: "String", description, ...rest }).valueAsString;
  const archiveBucket = parameter("ArchiveBucket", "Bucket that the Lambda's archive was uploaded to, in this region");
  const archiveKey = parameter("ArchiveKey", "Key of the archive, which `cargo xtask package` makes for arm64", {
    default: "tidegate-lambda-arm64.zip",
  });
  const url = parameter("RepositoryUrl", "The release repository, without a credential in it", {
    allowedPattern: "https://[^@]+",
    constraintDescription: "It has to begin with https://, without a credential in it",
  });
  const branch = parameter("RepositoryBranch", "The branch that is deployed", { default: "main" });
  const credential = parameter(
    "RepositoryCredential",
    "Name of the SecureString with the repository's token: make it before the stack",
    {
      default: `/tidegate/${installation}/git-token`,
      allowedPattern: "/[A-Za-z0-9_./-]+",
    },
  );
  const allowed = parameter("AllowedFunctions", "Functions that may be managed, * for any characters: Production*", {
    allowedPattern: "[A-Za-z0-9_*?-]{1,64}",
    constraintDescription: "A pattern of names; no ARN",
  });
  const registry = parameter("Registry", "Host of the ECR registry that images come from", {
    allowedPattern: "\\d{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com(\\.cn)?",
  });
  const email = parameter("AlarmEmail", "Who gets the alarms, and has to confirm it once");
  new TidegateController(stack, "Tidegate", {
    installation,
    archive: Code.fromBucketV2(Bucket.fromBucketName(stack, "Archive", archiveBucket), archiveKey),
    architecture: Architecture.ARM_64,
    repository: { url, branch, credential },
    environments: { [environment]: { allowedFunctions: [allowed], registries: [registry] } },
    alarms: { emails: [email] },
  });
  const made = app.synth().getStackByName(stack.stackName).template as unknown;
  rmSync(outdir, { recursive: true });
  return `${HEADER}${stringify(made, { lineWidth: 0, aliasDuplicateObjects: false, version: "1.1" })}`;
}

interface CfnParameterForm {
  readonly default: string;
  readonly allowedPattern: string;
  readonly constraintDescription: string;
}

const HEADER = `# Made of infra/lib by \`npm run template\`, and kept fresh by a test: change it there. docs/install.md says how to deploy it.
`;
