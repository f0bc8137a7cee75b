/** One behaviour that somebody can rely on. */
export interface Behaviour {
  /** One sentence that is true of the product. */
  readonly sentence: string;
  /** The page of docs/ that asks for it, with the heading in a page of the contract: one or two, separated by `; `. */
  readonly source: string;
}

/** Declares behaviours as id → [sentence, source]. */
export function behaviours<const Ids extends string>(
  entries: Readonly<Record<Ids, readonly [sentence: string, source: string]>>,
): Readonly<Record<Ids, Behaviour>> {
  const pairs = Object.entries<readonly [string, string]>(entries);
  return Object.fromEntries(pairs.map(([id, [sentence, source]]) => [id, { sentence, source }])) as Readonly<
    Record<Ids, Behaviour>
  >;
}
