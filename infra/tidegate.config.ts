// The one file to edit: what is deployed, and where. Then `npx cdk deploy --all`.
import { fileURLToPath } from "node:url";
import type { TidegateConfig } from "./lib/app.ts";

const config: TidegateConfig = {
  archive: fileURLToPath(new URL("../target/package/tidegate-lambda-arm64.zip", import.meta.url)),
  repository: {
    url: "https://github.com/acme/releases.git",
    // For a private repository. The stack's output says the command that makes it.
    // credential: "/tidegate/main/git-token",
  },
  environments: {
    staging: {
      allowedFunctions: ["Staging*"],
      registries: ["111111111111.dkr.ecr.eu-central-1.amazonaws.com"],
    },
    // In an account of its own; say `home` below as well.
    // production: {
    //   account: "222222222222",
    //   region: "eu-central-1",
    //   externalId: "tidegate-3f1c9a",
    //   allowedFunctions: ["Production*"],
    //   registries: ["111111111111.dkr.ecr.eu-central-1.amazonaws.com"],
    //   versionHousekeeping: {},
    // },
  },
  // home: { account: "111111111111", region: "eu-central-1" },
  // alarms: { emails: ["platform@acme.example"] },
};

export default config;
