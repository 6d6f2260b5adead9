/** The whole of it, so that a change of any resource is seen in review; and the plain template, which has to be fresh. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { template, TEMPLATE_NAMES } from "../lib/template.ts";
import { full } from "./templates.ts";

/** The archive's hash is of no interest: the fixture's own. */
function whole(stack: { toJSON(): unknown }): string {
  return JSON.stringify(stack.toJSON(), undefined, 1).replaceAll(/[0-9a-f]{64}\.zip/g, "ARCHIVE.zip");
}

describe("everything", () => {
  it.each(Object.entries(full))("of the stack `%s` is as it was", async (name, stack) => {
    await expect(whole(stack)).toMatchFileSnapshot(`__snapshots__/${name}.template.json`);
  });
});

describe("the plain template", () => {
  const file = new URL("../cloudformation/tidegate.template.yaml", import.meta.url);

  it("is fresh: otherwise run `npm run template`", () => {
    expect(readFileSync(file, "utf8")).toBe(template(TEMPLATE_NAMES));
  });

  it("can be made for other names, and needs no bootstrapped account", () => {
    const made = template({ installation: "blue", environment: "staging" });
    expect(made).toContain("FunctionName: tidegate-blue\n");
    expect(made).toContain("/tidegate/blue/environments/staging");
    expect(made).not.toContain("cdk-bootstrap");
  });
});
