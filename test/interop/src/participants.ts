import { fileURLToPath } from 'node:url';
import { type InboundAnswer, type InboundMessage, MessageFailure } from '@molecule-ai/core';
import { type Command, LineProcess } from './line-process.ts';
import type { Organisation } from './organisation.ts';
import { pythonEnvironment } from './python-environments.ts';

export type A2aVersion = '0.3' | '1.0';

/** A client built with a published SDK, running. */
export interface Client {
  readonly name: string;
  /** The versions it speaks, the one it prefers first. */
  readonly versions: readonly A2aVersion[];
  /**
   * Whether it reads the JSON-RPC error in a response with a status from 400. The others throw an error that has only
   * the status.
   */
  readonly readsErrorBodies: boolean;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly process: LineProcess;
}

/** An agent on the platform, running. */
export interface Agent {
  readonly name: string;
  readonly versions: readonly A2aVersion[];
  /** Whether it is an agent of `@molecule-ai/core`, which long-polls and answers by messages only. */
  readonly isRemote: boolean;
  /** Its base URL for clients. */
  readonly url: string;
  /** Scheme, host and port of its own server; empty without one. */
  readonly origin: string;
  readonly card: object;
  /** Whether a message with this text reached its code. */
  readonly hasRun: (text: string) => boolean;
  readonly stop: () => Promise<void>;
}

/** Sent with the credential by clients of 0.3, which has no header for the version; the platform then speaks JSON-RPC. */
const SAYS_0_3 = { 'A2A-Version': '0.3' };

/** Starts the clients of all SDKs, with these headers in every request. */
export function startClients(headers: Readonly<Record<string, string>>): Client[] {
  const start = (name: string, command: Command, isOld: boolean, readsErrorBodies: boolean): Client => {
    const sent = isOld ? { ...headers, ...SAYS_0_3 } : headers;
    const versions: A2aVersion[] = isOld ? ['0.3'] : ['1.0', '0.3'];
    return {
      name,
      versions,
      readsErrorBodies,
      headers: sent,
      process: new LineProcess(name, command, [JSON.stringify(sent)]),
    };
  };
  return [
    start('js 0.3.14', node('client-js-0.3.ts'), true, true),
    start('js 1.3.0', node('client-js-1.0.ts'), false, true),
    start('python 0.3.26', python('0.3', 'client_0_3.py'), true, false),
    start('python 1.3.0', python('1.0', 'client_1_0.py'), false, false),
  ];
}

/** Starts an agent with each SDK, and one of core, and brings them onto the platform. */
export function startAgents(organisation: Organisation): Promise<Agent[]> {
  const start = async (name: string, command: Command, versions: readonly A2aVersion[]): Promise<Agent> => {
    const server = new LineProcess(name, command, versions.length > 1 ? ['--compat'] : []);
    const { url, card } = await server.waitFor((line) => 'url' in line);
    const member = await organisation.addPushAgent(String(url), card as object);
    const hasRun = (text: string) => server.lines.some(({ ran }) => ran === text);
    const stop = () => server.stop();
    const { origin } = new URL(String(url));
    const base = organisation.urlOf(member.id);
    return { name, versions, isRemote: false, url: base, origin, card: card as object, hasRun, stop };
  };
  return Promise.all([
    start('js 0.3.14', node('agent-js-0.3.ts'), ['0.3']),
    start('js 1.3.0', node('agent-js-1.0.ts'), ['1.0']),
    start('js 1.3.0 (compat)', node('agent-js-1.0.ts'), ['1.0', '0.3']),
    start('python 0.3.26', python('0.3', 'agent_0_3.py'), ['0.3']),
    start('python 1.3.0', python('1.0', 'agent_1_0.py'), ['1.0']),
    start('python 1.3.0 (compat)', python('1.0', 'agent_1_0.py'), ['1.0', '0.3']),
    startRemoteAgent(organisation),
  ]);
}

/** The version that both speak and the client prefers; null for none. */
export function versionOf(client: Client, agent: Agent): A2aVersion | null {
  return client.versions.find((each) => agent.versions.includes(each)) ?? null;
}

async function startRemoteAgent(organisation: Organisation): Promise<Agent> {
  const texts = new Set<string>();
  const handle = ({ text }: InboundMessage, { signal }: { signal: AbortSignal }) => {
    texts.add(text);
    if (text === 'ask') {
      return {
        text: '',
        questions: [{ kind: 'text' as const, text: 'Which colour?', from: 'sender' as const }],
      };
    }
    if (text === 'fail') throw new MessageFailure('Disk full');
    if (text !== 'wait') return `You said: ${text}`;
    return new Promise<string>((_, reject) => {
      signal.addEventListener('abort', () => {
        texts.add('aborted');
        reject(signal.reason);
      });
    });
  };
  const onAnswer = ({ message: { text } }: InboundAnswer) => {
    texts.add(text);
    return `Painted: ${text}`;
  };
  const member = await organisation.addRemoteAgent(Object.assign(handle, { onAnswer }));
  return {
    name: '@molecule-ai/core',
    versions: ['1.0', '0.3'],
    isRemote: true,
    url: organisation.urlOf(member.id),
    origin: '',
    card: {},
    hasRun: (text) => texts.has(text),
    stop: async () => {},
  };
}

/** A program of `src/programs/`. */
export function node(program: string): Command {
  const file = fileURLToPath(new URL(`./programs/${program}`, import.meta.url));
  return { file: process.execPath, arguments: [file] };
}

/** A program of `python/`, with the SDK of this version. */
export function python(version: A2aVersion, program: string): Command {
  const file = fileURLToPath(new URL(`../python/${program}`, import.meta.url));
  return { file: pythonEnvironment(version), arguments: [file] };
}
