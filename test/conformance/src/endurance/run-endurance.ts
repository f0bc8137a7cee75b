import { setTimeout as sleep } from 'node:timers/promises';
import { approveAll } from './approving.ts';
import { cancelMessage } from './cancel-message.ts';
import { type KillTarget, killRepeatedly } from './killing.ts';
import { Organisation } from './organisation.ts';
import { type Lane, planMessages, seededRandom } from './plan.ts';
import { RunLog } from './run-log.ts';
import { Sending } from './sending.ts';
import {
  findDeadLetterOffences,
  findOffences,
  inspectDatabase,
  type Offence,
  type RecordedEnd,
  readEnds,
} from './verdict.ts';

const POLL_MS = 50;
const SHORTEST_CALL_MS = 1_250;

export interface EnduranceOptions {
  readonly messages: number;
  readonly kill: KillTarget;
  readonly kills: number;
  readonly seed: number;
  /** An existing folder: the data, state and logs of all processes. */
  readonly folder: string;
  /** How long no message may end before the run is judged as it is, in milliseconds. */
  readonly stalledAfterMs: number;
  readonly onProgress: (line: string) => void;
  /** Ends the run at once; its processes are killed. */
  readonly signal: AbortSignal;
}

export interface EnduranceResult {
  readonly options: EnduranceOptions;
  readonly lanes: readonly Lane[];
  readonly ends: ReadonlyMap<string, RecordedEnd>;
  readonly log: RunLog;
  readonly kills: ReadonlyMap<string, number>;
  /** How many questions of agents the operator approved. */
  readonly approvals: number;
  readonly seconds: number;
  readonly offences: readonly Offence[];
}

/**
 * Sends the messages of a plan between real processes, kills some of them again and again, and compares afterwards what
 * the platform recorded with what the senders learned and the agents did.
 * @throws the reason of `signal`; an Error when a process does not start. No process is left in any case.
 */
export async function runEndurance(options: EnduranceOptions): Promise<EnduranceResult> {
  const { folder, kill, kills: count, messages, onProgress, seed, signal } = options;
  const startedAt = performance.now();
  const random = seededRandom(seed);
  const lanes = planMessages(messages, random);
  const kills = new Map<string, number>();
  const ending = new AbortController();
  const organisation = await Organisation.start(folder);
  const killAll = () => void organisation.killAll();
  signal.addEventListener('abort', killAll, { once: true });
  try {
    signal.throwIfAborted();
    const log = new RunLog(organisation.members);
    await organisation.startAgents(lanes);
    onProgress(`platform ${organisation.platformUrl}, ${organisation.members.length} agents`);
    const until = AbortSignal.any([signal, ending.signal]);
    let approvals = 0;
    const onApproved = () => {
      approvals += 1;
    };
    const operating = Promise.all([
      operatorSending(organisation, lanes, log, until).run(),
      approveAll(organisation, onApproved, until),
    ]);
    operating.catch(() => {});
    await killRepeatedly({
      organisation,
      target: kill,
      count,
      messages,
      random,
      signal,
      progress: () => {
        log.read();
        return log.accepted.size;
      },
      onKill: (name, killed) => {
        kills.set(name, (kills.get(name) ?? 0) + 1);
        onProgress(`kill ${killed} of ${count}: ${name}, ${log.accepted.size} messages accepted`);
      },
    });
    await settle(options, organisation, lanes, log);
    ending.abort();
    await operating;
    const planned = lanes.flatMap((lane) => lane.messages);
    const ends = await readEnds(organisation, planned);
    const failures = await organisation.stop();
    log.read();
    const offences = [
      ...failures.map((details): Offence => ({ fault: 'process', id: 'platform', details })),
      ...findOffences(lanes, ends, log),
      ...(await findDeadLetterOffences(planned, ends, organisation.members)),
      ...inspectDatabase(organisation.dataDirectory),
    ];
    const seconds = (performance.now() - startedAt) / 1_000;
    return { options, lanes, ends, log, kills, approvals, seconds, offences };
  } finally {
    signal.removeEventListener('abort', killAll);
    await organisation.killAll();
  }
}

/** The operator sends from this process, which nobody kills. */
function operatorSending(
  { operator, operatorKey, platformUrl, targetIds }: Organisation,
  lanes: readonly Lane[],
  log: RunLog,
  signal: AbortSignal,
): Sending {
  return new Sending({
    lanes: lanes.filter(({ messages }) => messages[0]?.sender === 'operator'),
    targetIds,
    earlier: [],
    note: (event, facts) => log.add('operator', { event, ...facts }),
    signal,
    client: {
      call: (targetId, text, options) => operator.sendMessage(targetId, text, options),
      // An operator has no call that does not wait; the shortest one it has holds for a second.
      send: (targetId, text, options) =>
        operator.sendMessage(targetId, text, { ...options, timeoutMs: SHORTEST_CALL_MS }),
      waitForAnswer: (targetId, messageId, timeoutMs) =>
        operator.waitForAnswer(targetId, messageId, { timeoutMs, signal }),
      cancel: (targetId, messageId) => cancelMessage(platformUrl, operatorKey, targetId, messageId),
    },
  });
}

/** Waits until each end is noted and each row of a feed is acknowledged, or nothing happens any more. */
async function settle(
  { onProgress, signal, stalledAfterMs }: EnduranceOptions,
  organisation: Organisation,
  lanes: readonly Lane[],
  log: RunLog,
): Promise<void> {
  const open = new Set(lanes.flatMap(({ messages }) => messages.map(({ id }) => id)));
  let changedAt = performance.now();
  for (let reported = open.size; ; ) {
    log.read();
    for (const id of open) if (log.learned.has(id)) open.delete(id);
    if (open.size < reported) changedAt = performance.now();
    reported = open.size;
    const isStalled = performance.now() - changedAt > stalledAfterMs;
    if (isStalled) return onProgress(`nothing ends any more; ${open.size} messages are open`);
    if (open.size === 0 && (await areFeedsRead(organisation))) return onProgress('every message has ended');
    await sleep(POLL_MS, undefined, { signal });
  }
}

async function areFeedsRead({ operator, members }: Organisation): Promise<boolean> {
  for (const { id, name } of members) {
    if (name === 'push') continue;
    const { rows } = await operator.listActivity(id, {
      type: 'a2a_receive',
      unacknowledged: true,
      limit: 1,
    });
    if (rows.length > 0) return false;
  }
  return true;
}
