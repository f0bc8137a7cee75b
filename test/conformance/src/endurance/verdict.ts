import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { FileInboundStore, listDeadLetters } from '@molecule-ai/core';
import type { Member, Organisation } from './organisation.ts';
import { ACTS, type Lane, type PlannedMessage } from './plan.ts';
import type { RunLog } from './run-log.ts';

/** What the run must never show. */
export type Fault =
  | 'lost'
  | 'without end'
  | 'ended twice'
  | 'other end than planned'
  | 'sender learned nothing'
  | 'missing on the feed'
  | 'sender learned another end'
  | 'delivered twice to the sender'
  | 'answered without a handler'
  | 'out of order'
  | 'dead letter without failure'
  | 'failure without dead letter'
  | 'database'
  | 'process';

export interface Offence {
  readonly fault: Fault;
  /** A message id, or what is wrong with the whole. */
  readonly id: string;
  readonly details: string;
}

/** The end of a message in the platform's record. */
export interface RecordedEnd {
  readonly status: string;
  readonly code: string | null;
  readonly text: string;
}

/** The ends that a sender which does not wait gets as a message. */
const ON_THE_FEED: ReadonlySet<string> = new Set(['answered', 'failed', 'expired']);
/** After so many runs that a kill interrupted, an agent gives a message up. */
const ATTEMPTS = 5;

/** Reads from the platform how each message ended. */
export async function readEnds(
  { operator, members, targetIds }: Organisation,
  messages: readonly PlannedMessage[],
): Promise<Map<string, RecordedEnd>> {
  const ids = new Map(members.map(({ name, id }) => [String(name), id]));
  const ends = new Map<string, RecordedEnd>();
  for (const { id, sender, target } of messages) {
    // The operator's own messages are found under their target.
    const owner = ids.get(sender) ?? targetIds[target] ?? '';
    const record = await operator.getMessage(owner, id).catch(() => undefined);
    if (record === undefined) continue;
    ends.set(id, { status: record.status, code: record.code, text: record.text });
  }
  return ends;
}

/** Compares what the platform recorded, what the senders learned and what the agents did. */
export function findOffences(
  lanes: readonly Lane[],
  ends: ReadonlyMap<string, RecordedEnd>,
  log: RunLog,
): Offence[] {
  return lanes.flatMap((lane) => [
    ...lane.messages.flatMap((message) => offencesOf(message, ends.get(message.id), log)),
    ...orderOffences(lane, log),
  ]);
}

function offencesOf(
  { id, act, ask, sender }: PlannedMessage,
  end: RecordedEnd | undefined,
  log: RunLog,
): Offence[] {
  const found: Offence[] = [];
  const add = (fault: Fault, details: string) => void found.push({ fault, id, details });
  if (end === undefined) {
    add('lost', log.accepted.has(id) ? 'accepted, and the platform does not know it' : 'never accepted');
    return found;
  }
  if (end.status === 'queued' || end.status === 'input-required') {
    add('without end', `${act}: ${end.status}`);
    return found;
  }
  const isKilledTooOften =
    end.code === 'agent_unreachable' ||
    (end.code === 'handler_failed' && (log.runs.get(id) ?? 0) >= ATTEMPTS);
  if (end.status !== ACTS[act] && !isKilledTooOften)
    add('other end than planned', `${act}: ${end.status} ${end.code ?? ''}`);
  const learned = log.learned.get(id) ?? [];
  if (learned.length === 0) add('sender learned nothing', `${act}, ${ask}: ${end.status}`);
  for (const { by, status, code, text } of learned) {
    const isSame = status === end.status && (code === null || code === end.code);
    const isSameText = status !== 'answered' || by === 'list' || text?.includes(end.text) === true;
    if (isSame && isSameText) continue;
    const was = `${end.status} ${end.code ?? ''} “${end.text}”`;
    add('sender learned another end', `${by}: ${status} ${code ?? ''} “${text}”; recorded: ${was}`);
  }
  const rows = log.rows.get(id) ?? [];
  // A call of a sender that was killed may have returned the end to nobody; the sender asks for it.
  const isReported = ON_THE_FEED.has(end.status) && !log.restarted.has(sender);
  if (ask === 'never' && isReported && !learned.some(({ by }) => by === 'held' || by === 'feed')) {
    add('missing on the feed', `${act}: ${end.status}`);
  }
  const isTwice = new Set(rows.map(({ rowId }) => rowId)).size > 1;
  if (isTwice || rows.filter(({ attempt }) => attempt === 1).length > 1) {
    add('delivered twice to the sender', rows.map(({ rowId, attempt }) => `${rowId} #${attempt}`).join(', '));
  }
  if (end.status === 'answered' && !log.done.has(id)) add('answered without a handler', end.text);
  return found;
}

/** Within one conversation an agent that reads its feed begins with one message after the other. */
function orderOffences({ contextId, messages }: Lane, log: RunLog): Offence[] {
  const target = messages[0]?.target;
  if (contextId === null || target === undefined || target === 'push') return [];
  const position = new Map((log.firstRuns.get(target) ?? []).map((id, index) => [id, index]));
  let last = -1;
  return messages.flatMap(({ id }) => {
    const at = position.get(id) ?? last;
    const isBehind = at < last;
    last = Math.max(last, at);
    return isBehind ? [{ fault: 'out of order' as const, id, details: contextId }] : [];
  });
}

/** Compares the dead letters of the agents with the failures that the platform recorded. */
export async function findDeadLetterOffences(
  messages: readonly PlannedMessage[],
  ends: ReadonlyMap<string, RecordedEnd>,
  members: readonly Member[],
): Promise<Offence[]> {
  const found: Offence[] = [];
  for (const { name, stateDirectory } of members.filter(
    ({ name }) => name === 'long-poll' || name === 'poll',
  )) {
    const letters = await listDeadLetters(new FileInboundStore(stateDirectory));
    const codes = new Map(letters.map(({ messageId, errorCode }) => [messageId, errorCode]));
    for (const [id, errorCode] of codes) {
      const end = ends.get(id);
      if (end?.status === 'failed' && end.code === errorCode) continue;
      const details = `${errorCode}; recorded: ${end?.status} ${end?.code}`;
      found.push({ fault: 'dead letter without failure', id, details });
    }
    for (const { id, act, target } of messages) {
      const isExpected = target === name && (act === 'invalid' || act === 'throw');
      if (isExpected && ends.get(id)?.status === 'failed' && !codes.has(id)) {
        found.push({ fault: 'failure without dead letter', id, details: act });
      }
    }
  }
  return found;
}

/** Reads the database of a platform that has ended: its integrity, open messages, messages that ended more than once. */
export function inspectDatabase(dataDirectory: string): Offence[] {
  const file = readdirSync(dataDirectory).find((name) => name.endsWith('.db'));
  if (file === undefined) return [{ fault: 'database', id: 'file', details: `none in ${dataDirectory}` }];
  const database = new DatabaseSync(join(dataDirectory, file), { readOnly: true });
  const rows = (sql: string) => database.prepare(sql).all() as Record<string, string | number | null>[];
  try {
    const integrity = rows('pragma integrity_check').map((row) => String(Object.values(row)[0]));
    const offences: Offence[] = integrity
      .filter((line) => line !== 'ok')
      .map((line) => ({ fault: 'database', id: 'integrity', details: line }));
    const ended = "'answered', 'unanswered', 'failed', 'canceled', 'expired'";
    for (const { message_id, delivery_state } of rows(
      `select message_id, delivery_state from activity
       where message_id is not null and direction = 'in' and delivery_state not in (${ended})`,
    )) {
      offences.push({ fault: 'without end', id: String(message_id), details: String(delivery_state) });
    }
    for (const { message_id, count } of rows(
      `select message_id, count(events.seq) as count from activity
       left join events on events.activity_seq = activity.seq and event_type = 'MESSAGE_ENDED'
       where message_id is not null and direction = 'in' group by activity.seq having count <> 1`,
    )) {
      offences.push({ fault: 'ended twice', id: String(message_id), details: `${count} events of an end` });
    }
    for (const { message_id, copies } of rows(
      'select message_id, count(*) as copies from activity where message_id is not null group by caller, message_id having count(*) > 1',
    )) {
      offences.push({ fault: 'database', id: String(message_id), details: `${copies} rows` });
    }
    return offences;
  } finally {
    database.close();
  }
}
