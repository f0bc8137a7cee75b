import { setTimeout as pause } from 'node:timers/promises';
import type { Operation, Outcome, Target } from './client-program.ts';
import { cardOf, expectOutcome, expectRefusal, fail, type Pairing, wrapped } from './expectations.ts';

type Check = (pairing: Pairing) => Promise<void>;

/** Asks again for the state of a task: the agent may need a moment. */
const ATTEMPTS = 200;
const PAUSE_MS = 50;

const message: Check = async (pairing) => {
  const outcome = await call(pairing, { op: 'send', text: 'hello' });
  expectOutcome(outcome, { kind: 'message', text: wrapped('You said: hello') });
};

/** The client has only the base URL, and reads the card of the platform there. */
const baseUrl: Check = async ({ client, agent }) => {
  const outcome = await client.process.call({ url: agent.url }, { op: 'send', text: 'hello' });
  expectOutcome(outcome, { kind: 'message', text: wrapped('You said: hello') });
};

const task: Check = async (pairing) => {
  const outcome = await call(pairing, { op: 'send', text: 'task' });
  expectOutcome(outcome, { kind: 'task', state: 'completed', text: wrapped('Done: task') });
};

const failure: Check = async (pairing) => {
  const outcome = await call(pairing, { op: 'send', text: 'fail' });
  const expected = { kind: 'task', state: 'failed', text: wrapped('Disk full') };
  expectOutcome(outcome, expected);
  const { id } = taskOf(outcome);
  expectOutcome(await call(pairing, { op: 'get', id }), { ...expected, id });
};

const question: Check = async (pairing) => {
  const asked = await call(pairing, { op: 'send', text: 'ask' });
  expectOutcome(asked, { kind: 'task', state: 'input-required', text: wrapped('Which colour?') });
  const { id, contextId } = taskOf(asked);
  expectOutcome(await call(pairing, { op: 'get', id }), {
    kind: 'task',
    id,
    state: 'input-required',
    text: wrapped('Which colour?'),
  });
  const outcome = await call(pairing, { op: 'send', text: 'blue', taskId: id, contextId });
  const painted = { kind: 'task', id, state: 'completed', text: wrapped('Painted: blue') };
  expectOutcome(outcome, painted);
  expectOutcome(await call(pairing, { op: 'get', id }), painted);
};

/** A question of the platform's own: the answer of the agent is a message. */
const platformQuestion: Check = async (pairing) => {
  const asked = await call(pairing, { op: 'send', text: 'ask' });
  expectOutcome(asked, { kind: 'task', state: 'input-required', text: wrapped('Which colour?') });
  const { id: taskId, contextId } = taskOf(asked);
  const outcome = await call(pairing, { op: 'send', text: 'blue', taskId, contextId });
  expectOutcome(outcome, { kind: 'message', text: wrapped('Painted: blue') });
};

/** The platform stores the message, and the client asks for the state of its task. */
const queued: Check = async (pairing) => {
  const sent = await call(pairing, { op: 'send', text: 'hello', hold: 0 });
  expectOutcome(sent, { kind: 'task', state: 'submitted' });
  const { id } = taskOf(sent);
  const done = await waitForTask(pairing, id, ({ state }) => state === 'completed');
  expectOutcome(done, { kind: 'task', id, state: 'completed', text: wrapped('You said: hello') });
};

/** An agent's task that ended while no call was held. */
const queuedTask: Check = async (pairing) => {
  const sent = await call(pairing, { op: 'send', text: 'fail', hold: 0 });
  const done = await waitForTask(pairing, taskOf(sent).id, ({ state }) => state === 'failed');
  expectOutcome(done, { kind: 'task', state: 'failed', text: wrapped('Disk full') });
};

const cancel: Check = async (pairing) => {
  const sent = await call(pairing, { op: 'send', text: 'wait', hold: 0 });
  const { id } = taskOf(sent);
  expectOutcome(await call(pairing, { op: 'cancel', id }), { kind: 'task', id, state: 'canceled' });
  expectOutcome(await call(pairing, { op: 'get', id }), { kind: 'task', id, state: 'canceled' });
};

/** An error that the agent's own server makes. */
const agentError: Check = async (pairing) => {
  const outcome = await call(pairing, { op: 'send', text: 'hello', taskId: 'no-such-task' });
  expectOutcome(outcome, { kind: 'error', code: -32001 });
};

const unknownTask: Check = async (pairing) => {
  const outcome = await call(pairing, { op: 'get', id: '00000000-0000-4000-8000-000000000000' });
  expectRefusal(pairing, outcome, 404, -32001);
};

const stream: Check = async (pairing) => {
  const outcome = await call(pairing, { op: 'stream', text: 'hello' });
  expectOutcome(outcome, { kind: 'task', state: 'completed', text: wrapped('You said: hello') });
  const failed = await call(pairing, { op: 'stream', text: 'fail' });
  expectOutcome(failed, { kind: 'task', state: 'failed', text: wrapped('Disk full') });
};

const resubscribe: Check = async (pairing) => {
  const { id } = taskOf(await call(pairing, { op: 'send', text: 'hello', hold: 0 }));
  const text = wrapped('You said: hello');
  expectOutcome(await call(pairing, { op: 'resubscribe', id }), {
    kind: 'task',
    id,
    state: 'completed',
    text,
  });
  // Of one that has ended as well.
  expectOutcome(await call(pairing, { op: 'resubscribe', id }), {
    kind: 'task',
    id,
    state: 'completed',
    text,
  });
};

/** Neither speaks the other's version: no client can be made of the card, and a message is refused by the agent's server. */
const refused: Check = async (pairing) => {
  const { client, agent } = pairing;
  const text = `refused for ${client.name}`;
  const unreadable = await call(pairing, { op: 'send', text });
  if (unreadable.kind !== 'error') fail(unreadable, 'an error of the card');
  const card = {
    ...(await cardOf(pairing)),
    url: agent.url,
    protocolVersion: '0.3.0',
    preferredTransport: 'JSONRPC',
  };
  const outcome = await call(pairing, { op: 'send', text }, card);
  if (outcome.kind !== 'error' || (outcome.code !== -32601 && outcome.code !== -32009))
    fail(outcome, 'a refusal');
  if (agent.hasRun(text)) throw new Error('the agent ran');
};

/** What is checked of a pairing, by name. */
export function checksOf(pairing: Pairing): Record<string, () => Promise<void>> {
  const { agent, version } = pairing;
  const ofPlatform = {
    'base-url': baseUrl,
    failure,
    queued,
    'queued-task': queuedTask,
    cancel,
    'unknown-task': unknownTask,
    stream,
    resubscribe,
  };
  const checks: Record<string, Check> = agent.isRemote
    ? { message, question: platformQuestion, ...ofPlatform }
    : { message, task, question, 'agent-error': agentError, ...ofPlatform };
  const chosen = version === null ? { refused } : checks;
  return Object.fromEntries(Object.entries(chosen).map(([name, check]) => [name, () => check(pairing)]));
}

function call(pairing: Pairing, operation: Operation, card = pairing.card): Promise<Outcome> {
  const { client, agent } = pairing;
  const target: Target = { url: agent.url, ...(card === undefined ? {} : { card }) };
  return client.process.call(target, operation);
}

async function waitForTask(
  pairing: Pairing,
  id: string,
  isAwaited: (task: TaskOutcome) => boolean,
): Promise<Outcome> {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await call(pairing, { op: 'get', id });
    if (attempt === ATTEMPTS || isAwaited(taskOf(outcome))) return outcome;
    await pause(PAUSE_MS);
  }
}

type TaskOutcome = Extract<Outcome, { readonly kind: 'task' }>;

function taskOf(outcome: Outcome): TaskOutcome {
  if (outcome.kind !== 'task') fail(outcome, 'a task');
  return outcome;
}
