/** Into which parts an environment's services are divided, and which divisions cannot work. */

/** As the controller takes them: `Shard` of `tidegate-core`. */
const MOST_SHARDS = 64;

/** One part, `index` of `count`, counted from 1. */
interface Shard {
  readonly index: number;
  readonly count: number;
}

/** The parts as the schedules name them; one without a name where nothing is divided. */
export function shardsOf(shards: number | readonly string[] | undefined): readonly (string | undefined)[] {
  if (shards === undefined || shards === 1) {
    return [undefined];
  }
  return typeof shards === "number" ? Array.from({ length: shards }, (_, index) => `${index + 1}/${shards}`) : shards;
}

/** Those parts that nobody looks at. */
export function shardsLeftOut(shards: number | readonly string[] | undefined): string[] {
  if (shards === undefined || typeof shards === "number") {
    return [];
  }
  const count = parse(shards[0] ?? "")?.count ?? 0;
  return shardsOf(count).filter((name): name is string => name !== undefined && !shards.includes(name));
}

/** What is wrong with a division, to be put behind its field's name. */
export function shardProblems(shards: number | readonly string[] | undefined): string[] {
  if (shards === undefined) {
    return [];
  }
  if (typeof shards === "number") {
    return Number.isInteger(shards) && shards >= 1 && shards <= MOST_SHARDS
      ? []
      : [`is ${shards}: give a whole number from 1 to ${MOST_SHARDS}`];
  }
  if (shards.length === 0) {
    return ["is empty: leave it out where the environment is not divided"];
  }
  const problems: string[] = [];
  const parsed: [string, Shard][] = [];
  for (const name of shards) {
    const shard = parse(name);
    if (shard === undefined) {
      problems.push(`has \`${name}\`: write part and number of parts, such as \`1/2\`, up to ${MOST_SHARDS} parts`);
    } else {
      parsed.push([name, shard]);
    }
  }
  return [...problems, ...overlaps(parsed)];
}

function overlaps(shards: readonly [string, Shard][]): string[] {
  return shards.flatMap(([name, shard], at) =>
    shards.slice(0, at).flatMap(([earlier, other]) => {
      if (earlier === name) {
        return [`has \`${name}\` twice: its services would be visited by both; name each part once`];
      }
      if (shard.count === other.count) {
        return [];
      }
      // A part is those services whose hash leaves this rest: two such rules meet, or not, by what their counts share.
      const meet = (shard.index - other.index) % commonDivisor(shard.count, other.count) === 0;
      const how = meet ? "overlap: some services would be visited by both" : "are parts of different divisions";
      return [`has \`${earlier}\` and \`${name}\`, which ${how}; give all the same number of parts`];
    }),
  );
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

function parse(name: string): Shard | undefined {
  const [, index, count] = /^([1-9]\d?)\/([1-9]\d?)$/.exec(name) ?? [];
  const shard = { index: Number(index), count: Number(count) };
  return index !== undefined && shard.index <= shard.count && shard.count <= MOST_SHARDS ? shard : undefined;
}
