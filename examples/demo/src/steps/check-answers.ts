import { wrapA2aBoundary } from '@molecule-ai/core';
import { insideFence, type LogEntry } from '@molecule-tests/harness';
import type { WithAgents } from './context.ts';

/** What the agents logged about the answers of their peers: as they came, for people, for a model. */
export function checkAnswers({ run, lead, lab, desk, known }: WithAgents): void {
  const { timeline, checks } = run;
  const answers = lead.logged('answer');
  const arrived = answers.filter(({ status }) => status === 'answered');
  for (const { from, raw, text, forModel } of arrived.slice(0, 1)) {
    timeline.line('log', lead.name, `what ${from} said, as it came: ${textsIn(raw)[0]}`);
    timeline.line('log', lead.name, `the same for people: ${text}`);
    timeline.line('log', lead.name, `the same for a model: ${forModel}`);
  }
  checks.record('answered', answers.length === 2 && arrived.length === 2, () =>
    answers.map(({ from, status }) => `${from}: ${status}`).join(', '),
  );
  const isWrapped = ({ raw, text }: LogEntry) =>
    textsIn(raw).length > 0 && textsIn(raw).every((part) => part === wrapA2aBoundary(String(text)));
  checks.record('wrapped', arrived.length > 0 && arrived.every(isWrapped), () =>
    arrived.map(({ from, raw }) => `from ${from} came: ${textsIn(raw).join(' ')}`).join('; '),
  );

  const results = [lab, desk].map((agent) => ({ name: agent.name, results: agent.logged('tool-result') }));
  for (const {
    name,
    results: [first],
  } of results) {
    if (first !== undefined) timeline.line('log', name, `its model read: ${first.text}`);
  }
  const texts = results.flatMap((reader) => reader.results.map(({ text }) => String(text)));
  const inside = texts.map(insideFence);
  checks.record(
    'fenced',
    inside.includes(known.lab) && inside.includes(known.desk),
    () => `the models read: ${texts.join(' ')}`,
  );
}

/** Every text of an answer, wherever the A2A shapes put one. */
function textsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'text' && typeof inner === 'string' ? [inner] : textsIn(inner),
  );
}
