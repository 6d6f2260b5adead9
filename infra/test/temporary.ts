/** One folder for what the tests and the CDK put into the system's temporary one; it goes with the last test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Called by vitest before any test; what it gives, after all of them. */
export default function temporary(): () => void {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-infra-"));
  // Where `tmpdir` looks, here and in programs that tests start.
  process.env["TMPDIR"] = folder;
  return () => {
    rmSync(folder, { recursive: true });
  };
}
