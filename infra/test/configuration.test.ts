/** What the controller is told, in Parameter Store, and how its credential comes there. */
import { describe, expect, it } from "vitest";
import { smallest } from "./fixtures.ts";
import { flat, full, resources, small, templateOf } from "./templates.ts";

const documents = (template: typeof small): Record<string, unknown> =>
  Object.fromEntries(
    Object.values(resources(template, "AWS::SSM::Parameter")).map(({ Properties }) => [
      String(Properties["Name"]),
      JSON.parse(flat(Properties["Value"]).replaceAll(/<[^>]*>/g, "x")) as unknown,
    ]),
  );

describe("the configuration", () => {
  it("is what the controller reads", () => {
    expect(documents(full.home)).toMatchInlineSnapshot(`
      {
        "/tidegate/main-on-call/environments/overseas": {
          "allowedFunctions": [
            "Overseas*",
          ],
          "region": "us-east-1",
          "registries": [
            "111111111111.dkr.ecr.us-east-1.amazonaws.com",
          ],
          "registry": {
            "form": "none",
          },
          "schemaVersion": 1,
        },
        "/tidegate/main-on-call/environments/production": {
          "allowedFunctions": [
            "Production*",
            "Payments",
          ],
          "externalId": "tidegate-3f1c9a",
          "region": "eu-central-1",
          "registries": [
            "111111111111.dkr.ecr.eu-central-1.amazonaws.com",
          ],
          "registry": {
            "form": "document",
            "name": "/services/production/registry",
          },
          "roleArn": "arn:x:iam::222222222222:role/tidegate-main-production-on-call",
          "schemaVersion": 1,
          "versionHousekeeping": {
            "keepDays": 90,
          },
        },
        "/tidegate/main-on-call/environments/staging": {
          "allowedFunctions": [
            "Staging*",
          ],
          "buckets": [
            "acme-artifacts",
            "x",
          ],
          "callBudget": {
            "getFunction": 40,
          },
          "massChange": {
            "percent": 100,
          },
          "region": "eu-central-1",
          "registries": [
            "111111111111.dkr.ecr.eu-central-1.amazonaws.com",
          ],
          "schemaVersion": 1,
          "versionHousekeeping": {
            "keepVersions": 10,
          },
        },
        "/tidegate/main-on-call/installation": {
          "repository": {
            "branch": "release",
            "credential": "/tidegate/main/git-token",
            "url": "https://github.com/acme/releases.git",
            "writeBack": true,
          },
          "schemaVersion": 1,
          "state": {
            "bucket": "x",
            "prefix": "main",
          },
        },
        "/tidegate/main/environments/overseas": {
          "allowedFunctions": [
            "Overseas*",
          ],
          "region": "us-east-1",
          "registries": [
            "111111111111.dkr.ecr.us-east-1.amazonaws.com",
          ],
          "registry": {
            "form": "none",
          },
          "schemaVersion": 1,
        },
        "/tidegate/main/environments/production": {
          "allowedFunctions": [
            "Production*",
            "Payments",
          ],
          "externalId": "tidegate-3f1c9a",
          "region": "eu-central-1",
          "registries": [
            "111111111111.dkr.ecr.eu-central-1.amazonaws.com",
          ],
          "registry": {
            "form": "document",
            "name": "/services/production/registry",
          },
          "roleArn": "arn:x:iam::222222222222:role/tidegate-main-production",
          "schemaVersion": 1,
          "versionHousekeeping": {
            "keepDays": 90,
          },
        },
        "/tidegate/main/environments/staging": {
          "allowedFunctions": [
            "Staging*",
          ],
          "buckets": [
            "acme-artifacts",
            "x",
          ],
          "callBudget": {
            "getFunction": 40,
          },
          "massChange": {
            "percent": 100,
          },
          "region": "eu-central-1",
          "registries": [
            "111111111111.dkr.ecr.eu-central-1.amazonaws.com",
          ],
          "schemaVersion": 1,
          "versionHousekeeping": {
            "keepVersions": 10,
          },
        },
        "/tidegate/main/installation": {
          "repository": {
            "branch": "release",
            "credential": "/tidegate/main/git-token",
            "url": "https://github.com/acme/releases.git",
            "writeBack": true,
          },
          "schemaVersion": 1,
          "state": {
            "bucket": "x",
            "prefix": "main",
          },
        },
      }
    `);
  });

  it("of who is on call leads to narrower roles, and else says the same", () => {
    const all = documents(full.home);
    for (const [name, document] of Object.entries(all).filter(([name]) => name.startsWith("/tidegate/main/"))) {
      const onCall = all[name.replace("/main/", "/main-on-call/")] as { roleArn?: string };
      const { roleArn } = onCall;
      expect(onCall).toEqual({ ...(document as object), ...(roleArn && { roleArn }) });
      expect(roleArn ?? "-on-call").toMatch(/-on-call$/);
    }
  });

  it("stays below what a standard parameter takes", () => {
    for (const document of Object.values(documents(full.home))) {
      expect(JSON.stringify(document).length).toBeLessThan(4096);
    }
  });

  it("has no credential in it: the stack says the command that makes one", () => {
    const outputs = full.home.findOutputs("*") as Record<string, { Value: unknown }>;
    const [command] = Object.entries(outputs).filter(([name]) => name.includes("CredentialCommand"));
    expect(flat(command?.[1].Value)).toMatch(
      /^read -rs TOKEN && printf %s "\$TOKEN" \| aws ssm put-parameter --region eu-central-1 --name \/tidegate\/main\/git-token --type SecureString --key-id <\w+\.Arn> --value file:\/\/\/dev\/stdin$/,
    );
    expect(Object.keys(small.findOutputs("*")).filter((name) => name.includes("Credential"))).toEqual([]);
  });
});

describe("a GitHub App", () => {
  const githubApp = { appId: 12345, installationId: 67890, privateKey: "/tidegate/main/github-key" };
  const home = templateOf({ ...smallest(), repository: { ...smallest().repository, githubApp } }, "tidegate-main");

  it("is in the configuration, and its key is what the controller may read", () => {
    expect(documents(home)["/tidegate/main/installation"]).toMatchObject({ repository: { githubApp } });
    expect(JSON.stringify(home.toJSON())).toContain("parameter/tidegate/main/github-key");
  });

  it("has its key stored by a command that the stack says", () => {
    const outputs = home.findOutputs("*") as Record<string, { Value: unknown }>;
    const [command] = Object.entries(outputs).filter(([name]) => name.includes("CredentialCommand"));
    expect(flat(command?.[1].Value)).toMatch(/--name \/tidegate\/main\/github-key .* --value file:\/\/KEY\.pem$/);
  });
});
