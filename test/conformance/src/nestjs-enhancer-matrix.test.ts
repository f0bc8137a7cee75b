import type { InboundMessage } from '@molecule-ai/core';
import { expect, vi } from 'vitest';
import { type Observed, observe, type Sent } from './harness/enhancer-application.ts';
import { payloadOf, type Run, textOf } from './harness/enhancer-classes.ts';
import {
  applications,
  CELLS,
  type Cell,
  cellsOf,
  combinationsOf,
  GROUPS,
  isGlobal,
  nameOf,
  runsFor,
  UNUSED_EXCLUSIONS,
  type Unit,
} from './harness/enhancer-matrix.ts';
import { openNestStage } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

vi.setConfig({ testTimeout: 60_000 });

const SOURCES: Readonly<Partial<Record<Cell['way'], readonly [InboundMessage['source'], string]>>> = {
  'peer message': ['peer_agent', 'message/send'],
  'user message': ['canvas_user', 'message/send'],
  task: ['canvas_user', 'delegate_task'],
};

for (const group of GROUPS) {
  verifies('nestjs.enhancers.all', `${group.delivery}, enhancers ${group.company}`, async () => {
    // The method of the Python SDK, whose bodies are not ours.
    const stage = await openNestStage({ server: { contractCheck: 'off' } });
    const { client } = await stage.peer();
    const problems: string[] = [];
    for (const application of applications(group)) {
      const result = await observe(application, stage, client);
      for (const { cell, unit } of cellsOf(application)) {
        const found = problemsOf(cell, unit, result);
        if (found.length > 0) problems.push(`${nameOf(cell)}: ${[...new Set(found)].join('; ')}`);
      }
      // Enhancers that run for an event write what is not a message.
      expect(result.journal.events.sort()).toEqual(application.units.map(({ name }) => name).sort());
      expect(
        result.journal.runs.every(({ number }) => result.sent.some((one) => one.number === number)),
      ).toBe(true);
    }
    expect(problems).toEqual([]);
  });
}

verifies('nestjs.enhancers.all', 'the applications have all combinations that they should have', () => {
  const observed = combinationsOf(
    GROUPS.flatMap(applications)
      .flatMap(cellsOf)
      .map(({ cell }) => cell),
  );
  expect([...combinationsOf(CELLS)].filter((one) => !observed.has(one))).toEqual([]);
  expect(UNUSED_EXCLUSIONS).toEqual([]);
});

/** What is not as it has to be for one enhancer, in all messages that came its way. */
function problemsOf(cell: Cell, unit: Unit, { journal, sent }: Observed): string[] {
  const [source, method] = SOURCES[cell.way] ?? [];
  const ofUnit = sent.filter((one) => one.unit === unit);
  const messages = ofUnit.filter((one) => one.way === cell.way);
  const runsOf = ({ number }: Sent): Run[] =>
    journal.runs.filter((run) => run.number === number && run.kind === cell.kind && run.level === cell.level);
  const problems = messages.flatMap((message) => {
    const runs = runsOf(message);
    const handled = journal.handled.filter((one) => one.number === message.number);
    const isRefused = message.cue === 'refuse';
    const times = runsFor(cell.kind, message) ? 1 : 0;
    const found = [...runs, ...handled].flatMap((one) => one.problems);
    for (const { injected } of runs) {
      if (!isInjected(cell, message, injected)) found.push(`REQUEST is ${injected}`);
    }
    if (runs.length !== times) found.push(`ran ${runs.length} times for ${message.cue}`);
    if (handled.length !== (isRefused ? 0 : 1)) found.push(`the method ran ${handled.length} times`);
    for (const one of handled) {
      if (one.source !== source || one.method !== method) found.push(`came as ${one.source}, ${one.method}`);
      const [made, other] = [one.request, runs[0]?.request];
      if (made !== undefined && other !== undefined && made !== other) {
        found.push('what is made for a message was made twice');
      }
    }
    const reply = isRefused ? 'failed forbidden Forbidden resource.' : `answered ${answerTo(unit, message)}`;
    if (said(message) !== reply) found.push(`the reply is "${said(message)}", not "${reply}"`);
    return found;
  });
  if (messages.flatMap(runsOf).length === 0) problems.push('did not run');
  const hosts = journal.handled.filter(({ number }) => ofUnit.some((one) => one.number === number));
  if (
    cell.host.startsWith('request-scoped') &&
    new Set(hosts.map(({ instance }) => instance)).size < hosts.length
  ) {
    problems.push('its host was not made for each message');
  }
  const seen = ofUnit.flatMap((message) => runsOf(message).map((run) => ({ run, message })));
  return [...problems, ...lifetimes(cell, seen)];
}

/** A durable one of a host that is not belongs to a message, or the payload, of its tenant: versions of Nest differ. */
function isInjected({ scope, level, host }: Cell, { tenant, cue, number }: Sent, injected = ''): boolean {
  if (scope === 'request') return injected === textOf(tenant, cue, number);
  if (scope !== 'durable') return injected === '';
  const isHostDurable = !isGlobal(level) && !host.startsWith('request-scoped');
  return isHostDurable ? injected === payloadOf(tenant) : injected.startsWith(`${tenant} `);
}

function said({ reply: { status, code, text } }: Sent): string {
  return [status, ...(status === 'failed' ? [code] : []), text].join(' ');
}

/** Global pipes come first, then those of the class, the method and the parameter. */
const ORDER = ['useGlobal', 'APP token', 'class', 'method', 'parameter'];

function answerTo({ enhancers }: Unit, { tenant, cue, number }: Sent): string {
  const levelsOf = (kind: Cell['kind']) =>
    enhancers
      .filter((enhancer) => enhancer.kind === kind)
      .map(({ level }) => level)
      .sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
  const piped = levelsOf('pipe').map((level) => `, piped at ${level}`);
  const isFiltered = cue === 'fail';
  const ended = isFiltered
    ? levelsOf('filter').map((level) => `, filtered at ${level}`)
    : [', answered', ...levelsOf('interceptor').map((level) => `, intercepted at ${level}`)];
  return [textOf(tenant, cue, number), ...piped, ...ended].join('');
}

/** Whether messages share the enhancer as its scope says. */
function lifetimes(
  { scope, level, host }: Cell,
  seen: readonly { readonly run: Run; readonly message: Sent }[],
): string[] {
  const isMadeEachTime =
    scope === 'request' || (scope === 'transient' && (isGlobal(level) || host.startsWith('request-scoped')));
  const pairs = seen.flatMap((one, index) => seen.slice(index + 1).map((other) => [one, other] as const));
  const isSame = ([one, other]: (typeof pairs)[number]) => one.message.tenant === other.message.tenant;
  if (!pairs.some(isSame)) return ['did not run twice for one tenant'];
  if (scope === 'durable' && pairs.every(isSame)) return ['ran for one tenant only'];
  return pairs.flatMap(([one, other]) => {
    const isSameTenant = isSame([one, other]);
    const isExpected = scope === 'durable' ? isSameTenant : !isMadeEachTime;
    if ((one.run.instance === other.run.instance) === isExpected) return [];
    return `is ${isExpected ? 'another' : 'the same'} one for ${one.message.tenant} and ${other.message.tenant}`;
  });
}
