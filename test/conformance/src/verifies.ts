import { type TestContext, test } from 'vitest';
import { BEHAVIOURS, type BehaviourId } from './behaviours.ts';

declare module 'vitest' {
  interface TaskMeta {
    /** The behaviour ids that this test claims. */
    verifies?: readonly string[];
  }
}

export type Claim = BehaviourId | readonly [BehaviourId, ...BehaviourId[]];
export type VerifyingTest = (context: TestContext) => void | Promise<void>;

/**
 * A vitest test that claims to prove behaviours. The title may be left out: it is then their sentences.
 *
 * @example
 * verifies('registry.liveness.silent-is-offline', async () => { … });
 * verifies(['tokens.shape', 'tokens.fifty-at-most'], 'a minted token', async () => { … });
 */
export function verifies(claim: Claim, body: VerifyingTest): void;
export function verifies(claim: Claim, title: string, body: VerifyingTest): void;
export function verifies(claim: Claim, ...rest: [VerifyingTest] | [string, VerifyingTest]): void {
  const ids: readonly BehaviourId[] = typeof claim === 'string' ? [claim] : claim;
  const body = rest.length === 1 ? rest[0] : rest[1];
  const title = rest.length === 1 ? ids.map(sentenceOf).join('; ') : rest[0];
  test(title, { meta: { verifies: ids } }, body);
}

function sentenceOf(id: BehaviourId): string {
  return BEHAVIOURS[id]?.sentence ?? id;
}
