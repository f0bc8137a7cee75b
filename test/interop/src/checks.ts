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
  expectOutcome(outcome, { kind: 'task', state: 'failed', text: wrapped('Disk full') });
};

const question: Check = async (pairing) => {
  const asked = await call(pairing, { op: 'send', text: 'ask' });
  expectOutcome(asked, { kind: 'task', state: 'input-required', text: wrapped('Which colour?') });
  const { id: taskId, contextId } = taskOf(asked);
  const outcome = await call(pairing, { op: 'send', text: 'blue', taskId, contextId });
  expectOutcome(outcome, { kind: 'task', id: taskId, state: 'completed', text: wrapped('Painted: blue') });
};

/** An error that the agent's own server makes. */
const agentError: Check = async (pairing) => {
  const outcome = await call(pairing, { op: 'send', text: 'hello', taskId: 'no-such-task' });
  expectOutcome(outcome, { kind: 'error', code: -32001 });
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
  const ofServers = { message, task, question, failure, 'agent-error': agentError };
  return agent.isRemote ? { message } : ofServers;
}

function call({ client, agent }: Pairing, operation: Operation): Promise<Outcome> {
  const target: Target = { url: agent.url, card: cardFor(client, agent) };
  return client.process.call(target, operation);
}

function cardFor(client: Client, agent: Agent): object {
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
    capabilities: { streaming: false },
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [],
    ...(versions.includes('0.3') || !client.versions.includes('1.0') ? old : {}),
    ...(versions.includes('1.0') ? { supportedInterfaces: offered } : {}),
  };
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

function fail(outcome: Outcome, expected: string): never {
  throw new Error(`expected ${expected}, got ${JSON.stringify(outcome)}`);
}
