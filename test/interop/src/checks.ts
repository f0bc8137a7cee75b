import { setTimeout as pause } from 'node:timers/promises';
import type { Operation, Outcome, Target } from './client-program.ts';
import type { A2aVersion, Agent, Client } from './participants.ts';

/** A client and an agent, and the version of A2A in which they understand each other. */
export interface Pairing {
  readonly client: Client;
  readonly agent: Agent;
  /** Null when each speaks only what the other does not. */
  readonly version: A2aVersion | null;
}

type Check = (pairing: Pairing) => Promise<void>;

/** Asks again for the state of a task: the agent may need a moment. */
const ATTEMPTS = 200;
const PAUSE_MS = 50;

const message: Check = async (pairing) => {
  const outcome = await call(pairing, { op: 'send', text: 'hello' });
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

const questionOnly: Check = async (pairing) => {
  const asked = await call(pairing, { op: 'send', text: 'ask' });
  expectOutcome(asked, { kind: 'task', state: 'input-required', text: wrapped('Which colour?') });
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

/** A client whose card promises streaming: refused before the agent runs. */
const stream: Check = async (pairing) => {
  const text = `streamed by ${pairing.client.name}`;
  const outcome = await call(pairing, { op: 'stream', text }, cardFor(pairing, true));
  expectRefusal(pairing, outcome, 501, -32004);
  if (pairing.agent.hasRun(text)) throw new Error('the agent ran');
};

/** Neither speaks the other's version: the agent's server says so. */
const refused: Check = async (pairing) => {
  const text = `refused for ${pairing.client.name}`;
  const outcome = await call(pairing, { op: 'send', text });
  if (outcome.kind !== 'error' || (outcome.code !== -32601 && outcome.code !== -32009))
    fail(outcome, 'refused');
  if (pairing.agent.hasRun(text)) throw new Error('the agent ran');
};

/** What is checked of a pairing, by name. */
export function checksOf({ agent, version }: Pairing): Readonly<Record<string, Check>> {
  if (version === null) return { refused };
  const ofPlatform = {
    failure,
    queued,
    'queued-task': queuedTask,
    cancel,
    'unknown-task': unknownTask,
    stream,
  };
  return agent.isRemote
    ? { message, 'question-only': questionOnly, ...ofPlatform }
    : { message, task, question, 'agent-error': agentError, ...ofPlatform };
}

function call({ client, agent, version }: Pairing, operation: Operation, card?: object): Promise<Outcome> {
  const target: Target = { url: agent.url, card: card ?? cardFor({ client, agent, version }, false) };
  return client.process.call(target, operation);
}

function cardFor({ client, agent }: Pairing, streaming: boolean): object {
  const { url, versions } = agent;
  const old = { url, protocolVersion: '0.3.0', preferredTransport: 'JSONRPC' };
  const offered = versions.map((protocolVersion) => ({
    url,
    protocolBinding: 'JSONRPC',
    protocolVersion,
    tenant: '',
  }));
  return {
    name: agent.name,
    description: 'An agent of the interop tests',
    version: '1.0.0',
    capabilities: { streaming },
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [],
    ...(versions.includes('0.3') || !client.versions.includes('1.0') ? old : {}),
    ...(versions.includes('1.0') ? { supportedInterfaces: offered } : {}),
  };
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

/** Texts of peers reach a workspace in markers. */
function wrapped(text: string): string {
  return `[A2A_RESULT_FROM_PEER]${text}[/A2A_RESULT_FROM_PEER]`;
}

function expectOutcome(outcome: Outcome, expected: Readonly<Record<string, string | number>>): void {
  const actual = outcome as Readonly<Record<string, unknown>>;
  if (Object.entries(expected).some(([key, value]) => actual[key] !== value)) {
    fail(outcome, JSON.stringify(expected));
  }
}

/** An error of the platform, as far as the SDK shows it. */
function expectRefusal({ client }: Pairing, outcome: Outcome, status: number, code: number): void {
  const shown = client.readsErrorBodies ? code : status;
  const isShown =
    outcome.kind === 'error' && (outcome.code === shown || outcome.message.includes(String(shown)));
  if (!isShown) fail(outcome, `an error with ${shown}`);
}

function fail(outcome: Outcome, expected: string): never {
  throw new Error(`expected ${expected}, got ${JSON.stringify(outcome)}`);
}
