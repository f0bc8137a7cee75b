/** The command that proves a behaviour. `.ci/run` runs each of them. */
export type Command = 'test' | 'test:packed' | 'test:versions' | 'test:processes';

/** One behaviour that somebody can rely on. */
export interface Behaviour {
  /** One sentence that is true of the product. */
  readonly sentence: string;
  /** The page of docs/ that asks for it, with the heading in a page of the contract: one or two, separated by `; `. */
  readonly source: string;
  /** The tests that claim it are those of this command. */
  readonly command: Command;
}

/** Declares behaviours as id → [sentence, source], or [sentence, source, command] where that is not `test`. */
export function behaviours<const Ids extends string>(
  entries: Readonly<Record<Ids, readonly [sentence: string, source: string, command?: Command]>>,
): Readonly<Record<Ids, Behaviour>> {
  const pairs = Object.entries<readonly [string, string, Command?]>(entries);
  return Object.fromEntries(
    pairs.map(([id, [sentence, source, command = 'test']]) => [id, { sentence, source, command }]),
  ) as Readonly<Record<Ids, Behaviour>>;
}
