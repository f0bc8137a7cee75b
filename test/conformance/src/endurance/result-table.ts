import { TARGETS } from './plan.ts';
import type { EnduranceResult } from './run-endurance.ts';
import type { Fault } from './verdict.ts';

const ENDS = ['answered', 'unanswered', 'failed', 'canceled', 'expired'] as const;
const FAULTS: readonly Fault[] = [
  'lost',
  'without end',
  'ended twice',
  'other end than planned',
  'sender learned nothing',
  'missing on the feed',
  'sender learned another end',
  'delivered twice to the sender',
  'answered without a handler',
  'out of order',
  'dead letter without failure',
  'failure without dead letter',
  'database',
  'process',
];
/** So many offenders are printed with their details. */
const MAX_OFFENDERS = 50;

/** The result as text: how the messages ended, what the kills made happen twice, and what must not have happened. */
export function formatResult(result: EnduranceResult): string {
  const { options, kills, seconds, offences } = result;
  const killed = [...kills].map(([name, count]) => `${name} ${count}`).join(', ');
  const lines = [
    `${options.messages} messages, ${options.kills} kills (${killed || 'none'}), seed ${options.seed}, ${seconds.toFixed(0)} s`,
    '',
    ...endRows(result),
    '',
    row('approved by the operator', [String(result.approvals)]),
    row('handled again', [String(repeatedRuns(result))]),
    row('also on the feed', [String(learnedTwice(result))]),
    ...FAULTS.map((fault) => row(fault, [String(offences.filter((each) => each.fault === fault).length)])),
    ...offences.slice(0, MAX_OFFENDERS).map(({ fault, id, details }) => `${fault}: ${id}: ${details}`),
  ];
  if (offences.length > MAX_OFFENDERS) lines.push(`and ${offences.length - MAX_OFFENDERS} more`);
  return lines.join('\n');
}

function endRows({ lanes, ends }: EnduranceResult): string[] {
  const messages = lanes.flatMap((lane) => lane.messages);
  const count = (status: string, target?: string) =>
    messages.filter(
      ({ id, target: own }) => ends.get(id)?.status === status && (target === undefined || own === target),
    ).length;
  return [
    row('', [...TARGETS, 'all']),
    ...ENDS.map((status) =>
      row(status, [...TARGETS.map((target) => String(count(status, target))), String(count(status))]),
    ),
  ];
}

function row(title: string, cells: readonly string[]): string {
  return title.padEnd(32) + cells.map((cell) => cell.padStart(11)).join('');
}

/** Runs beyond the first that only a kill explains. */
function repeatedRuns({ lanes, log }: EnduranceResult): number {
  const planned = new Map(lanes.flatMap((lane) => lane.messages.map(({ id, act }) => [id, act])));
  let repeated = 0;
  for (const [id, runs] of log.runs) {
    const act = planned.get(id);
    if (act !== 'flaky' && act !== 'throw') repeated += runs - 1;
  }
  return repeated;
}

/** Ends that a held call returned and that came by the feed as well, because a kill hid the receipt. */
function learnedTwice({ log }: EnduranceResult): number {
  let count = 0;
  for (const [id, learned] of log.learned) {
    if (log.rows.has(id) && learned.some(({ by }) => by === 'held')) count += 1;
  }
  return count;
}
