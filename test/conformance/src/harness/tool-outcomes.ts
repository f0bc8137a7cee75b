import { expectNoUnfencedPeerText } from '@molecule-ai/core/testing';
import type { ToolOutcome } from '@molecule-ai/core/tools';
import { expect } from 'vitest';

/** What a model reads of an outcome has these words of peers, and has them in fences only. */
export function expectFencedOutcome(
  { forModel }: Pick<ToolOutcome, 'forModel'>,
  ...words: [string, ...string[]]
) {
  for (const word of words) expect(forModel).toContain(word);
  expectNoUnfencedPeerText(forModel, ...words);
}
