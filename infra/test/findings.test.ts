/** Independent opinions: cdk-nag, whose acknowledged findings each have a reason, and cfn-lint. */
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { describe, expect, it } from "vitest";
import { tidegateApp } from "../lib/app.ts";
import { everything, smallest } from "./fixtures.ts";

/** cdk-nag without anybody's acknowledgements. */
function everyFinding(): AwsSolutionsChecks {
  return Object.assign(new AwsSolutionsChecks(), { isAcknowledged: () => false });
}

function acknowledged(app: ReturnType<typeof tidegateApp>): { path: string; rule: string; reason: string }[] {
  return app.node.findAll().flatMap(({ node }) =>
    node.metadata
      .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
      .flatMap(({ data }) =>
        Object.entries(data as Record<string, string>).map(([rule, reason]) => ({
          path: node.path,
          rule: rule.replace(/^annotation::/i, ""),
          reason,
        })),
      ),
  );
}

describe("cdk-nag", () => {
  it.each([
    ["the smallest installation", smallest],
    ["everything", everything],
  ])("has nothing against %s", (_, config) => {
    const { violations } = new AwsSolutionsChecks().validateScope(tidegateApp(config()));
    expect(violations.map(({ ruleName, violatingResources }) => [ruleName, violatingResources])).toEqual([]);
  });

  it("would find all that is acknowledged, each with a reason: none is a blanket, none is out of date", () => {
    const app = tidegateApp(everything());
    const { violations } = everyFinding().validateScope(app);
    const found = violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => ({ rule: ruleName, path: constructPath ?? "" })),
    );
    for (const { path, rule, reason } of acknowledged(app)) {
      const hits = found.filter((finding) => finding.rule === rule && finding.path.startsWith(path));
      expect(hits, `${rule} at ${path}`).toHaveLength(1);
      expect(reason.length, `${rule} at ${path}`).toBeGreaterThan(20);
    }
  });
});

describe("cfn-lint", () => {
  const program = process.env["CFN_LINT"] ?? "cfn-lint";
  const lint = (...files: string[]) => {
    // W3005: CDK lets a function wait for its role, which its `Role` does as well.
    execFileSync(program, ["--ignore-checks", "W3005", "--", ...files], { encoding: "utf8", stdio: "pipe" });
  };

  it("has nothing against any stack, nor against the plain template", () => {
    const outdir = mkdtempSync(join(tmpdir(), "tidegate-infra-"));
    const { stacks } = tidegateApp(everything(), { outdir }).synth();
    const plain = fileURLToPath(new URL("../cloudformation/tidegate.template.yaml", import.meta.url));
    expect(() => {
      lint(...stacks.map(({ templateFullPath }) => templateFullPath), plain);
    }).not.toThrow();
  });
});
