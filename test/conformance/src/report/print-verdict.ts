import type { ClaimingTest, Verdict } from './judge.ts';

/** The verdict as text: how many are proven, a list of each kind of fault, and what is for later. */
export function printVerdict(verdict: Verdict): string {
  const total = verdict.proven.length + verdict.unclaimed.length + countIds(verdict.unproven);
  const lines = [`Conformance: ${verdict.proven.length} of ${total} behaviours proven`];
  addList(lines, 'No test claims', [...verdict.unclaimed]);
  addList(
    lines,
    'Claimed, but not an id of this command',
    verdict.unknown.map(({ id, test }) => `${id}  (${where(test)})`),
  );
  addList(
    lines,
    'Claimed by a test that did not pass',
    verdict.unproven.map(({ id, test }) => `${id}  (${test.state}: ${where(test)})`),
  );
  addList(
    lines,
    'Later',
    verdict.later.map(({ what, because }) => `${what}: ${because}`),
  );
  return lines.join('\n');
}

function addList(lines: string[], heading: string, items: readonly string[]): void {
  if (items.length === 0) return;
  lines.push(`  ${heading}:`, ...items.map((item) => `    ${item}`));
}

function where(test: ClaimingTest): string {
  return `${test.file} > ${test.title}`;
}

function countIds(claims: readonly { readonly id: string }[]): number {
  return new Set(claims.map(({ id }) => id)).size;
}
