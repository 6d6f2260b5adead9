/** Text as a terminal of 80 columns shows it. */

const COLUMNS = 80;
/** A word, or a literal in backticks with all that touches it. */
const UNIT = /(?:`[^`]*`|\S)+/g;

/** Breaks lines that are longer than a terminal is wide between words, never in a literal; what follows stands below the text. */
export function fold(text: string): string {
  return text.split("\n").flatMap(foldLine).join("\n");
}

function foldLine(line: string): string[] {
  const indent = /^ *(?:- )?/.exec(line)?.[0] ?? "";
  const further = " ".repeat(Math.max(indent.length, 2));
  const lines: string[] = [];
  let current = indent;
  let empty = true;
  for (const [unit] of line.slice(indent.length).matchAll(UNIT)) {
    if (!empty && current.length + 1 + unit.length > COLUMNS) {
      lines.push(current);
      current = further;
      empty = true;
    }
    current += empty ? unit : ` ${unit}`;
    empty = false;
  }
  return [...lines, current];
}
