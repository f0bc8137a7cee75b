import { wrapA2aBoundary } from '@molecule-ai/core';
import { insideFence, type LogEntry } from '@molecule-tests/harness';
import type { Checks } from '../output/checks.ts';
import type { WithAgents } from './context.ts';
import type { FeedRow } from './evidence.ts';

/**
 * What the agents logged about the answers of their peers: as they came, for people, for a model.
 * @param rows of the feeds of all agents
 */
export function checkAnswers({ run, lead, lab, desk, known }: WithAgents, rows: readonly FeedRow[]): void {
  const { timeline, checks } = run;
  const answers = lead.logged('answer');
  const arrived = answers.filter(({ status }) => status === 'answered');
  for (const { from, via, raw, text, forModel } of arrived) {
    const way = via === 'direct' ? 'directly' : 'through the platform';
    timeline.line('log', lead.name, `what ${from} said, as it came ${way}: ${textsIn(raw)[0]}`);
    timeline.line('log', lead.name, `the same for people: ${text}`);
    timeline.line('log', lead.name, `the same for a model: ${forModel}`);
  }
  checks.record('answered', answers.length === 3 && arrived.length === 3, () =>
    answers.map(({ from, status }) => `${from}: ${status}`).join(', '),
  );
  const carried = arrived.filter(({ via }) => via === 'proxy');
  const isWrapped = ({ raw, text }: LogEntry) =>
    textsIn(raw).length > 0 && textsIn(raw).every((part) => part === wrapA2aBoundary(String(text)));
  checks.record('wrapped', carried.length > 0 && carried.every(isWrapped), () =>
    carried.map(({ from, raw }) => `from ${from} came: ${textsIn(raw).join(' ')}`).join('; '),
  );

  checkDirect({ lead, lab, desk }, rows, checks);

  const results = [lab, desk].map((agent) => ({ name: agent.name, results: agent.logged('tool-result') }));
  for (const {
    name,
    results: [first],
  } of results) {
    if (first !== undefined) timeline.line('log', name, `its model read: ${first.text}`);
  }
  const texts = results.flatMap((reader) => reader.results.map(({ text }) => String(text)));
  const isRead = (answer: string) => texts.some((text) => insideFence(text)?.includes(answer));
  checks.record(
    'fenced',
    isRead(known.lab) && isRead(known.desk),
    () => `the models read: ${texts.join(' ')}`,
  );
}

/**
 * Both peers of ops-desk reach it without the platform: what they send is in no feed. They read its answers like any other's: plain, or
 * inside a fence.
 */
function checkDirect(
  { lead, lab, desk }: Pick<WithAgents, 'lead' | 'lab' | 'desk'>,
  rows: readonly FeedRow[],
  checks: Checks,
): void {
  const answers = lead.logged('answer').filter(({ from }) => from === desk.name);
  const isRead = answers.every(({ text, forModel }) => insideFence(String(forModel)) === text);
  const ways = [lead, lab].map(({ id, name }) => {
    const isHandled = desk.logged('handling').some(({ from }) => from === id);
    const isInFeed = rows.some(({ owner, sourceId }) => owner === desk && sourceId === id);
    return { name, way: !isHandled ? 'not' : isInFeed ? 'through the platform' : 'directly' };
  });
  checks.record(
    'direct',
    answers.length > 0 && isRead && ways.every(({ way }) => way === 'directly'),
    () =>
      `ops-desk was called: ${ways.map(({ name, way }) => `${way} by ${name}`).join(', ')}; ` +
      `read: ${answers.map(({ forModel }) => forModel).join(' ')}`,
  );
}

/** Every text of an answer, wherever the A2A shapes put one. */
function textsIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'text' && typeof inner === 'string' ? [inner] : textsIn(inner),
  );
}
