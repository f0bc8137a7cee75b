/** One test as the report sees it. */
export interface ClaimingTest {
  readonly title: string;
  readonly file: string;
  readonly state: 'passed' | 'failed' | 'skipped' | 'pending';
  readonly claims: readonly string[];
}

export interface Registry {
  /** The behaviour ids of the command. */
  readonly ids: readonly string[];
  /** What has no id yet, and why. */
  readonly later: readonly { readonly what: string; readonly because: string }[];
}

/** What a full run proved, and what it did not. */
export interface Verdict {
  /** Ids that no test claims. */
  readonly unclaimed: readonly string[];
  /** Claims of ids that are not the command's. */
  readonly unknown: readonly { readonly id: string; readonly test: ClaimingTest }[];
  /** Claims whose test did not pass. */
  readonly unproven: readonly { readonly id: string; readonly test: ClaimingTest }[];
  /** Ids whose every claiming test passed, at least one. */
  readonly proven: readonly string[];
  readonly later: Registry['later'];
  readonly ok: boolean;
}

/** Holds the claims of a full run against the registry. An id is proven only when all its tests passed. */
export function judge(registry: Registry, tests: readonly ClaimingTest[]): Verdict {
  const known = new Set(registry.ids);
  const claimed = new Set<string>();
  const unknown: { id: string; test: ClaimingTest }[] = [];
  const unproven: { id: string; test: ClaimingTest }[] = [];
  for (const test of tests) {
    for (const id of test.claims) {
      if (!known.has(id)) {
        unknown.push({ id, test });
        continue;
      }
      claimed.add(id);
      if (test.state !== 'passed') unproven.push({ id, test });
    }
  }
  const notProven = new Set(unproven.map(({ id }) => id));
  const unclaimed = registry.ids.filter((id) => !claimed.has(id));
  return {
    unclaimed,
    unknown,
    unproven,
    proven: registry.ids.filter((id) => claimed.has(id) && !notProven.has(id)),
    later: registry.later,
    ok: unclaimed.length === 0 && unknown.length === 0 && unproven.length === 0,
  };
}

/** True when every file of the command ran, no test was picked by name, and nothing broke the run off. */
export function isFullRun(run: {
  readonly filesIncluded: readonly string[];
  readonly filesRun: readonly string[];
  readonly pickedByName: boolean;
  readonly interrupted: boolean;
}): boolean {
  if (run.pickedByName || run.interrupted || run.filesIncluded.length === 0) return false;
  const ran = new Set(run.filesRun);
  return run.filesIncluded.every((file) => ran.has(file));
}
