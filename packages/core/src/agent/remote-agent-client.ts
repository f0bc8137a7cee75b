import type { AgentCard, Capability } from '@molecule-ai/protocol';
import { CLIENT_PORT, type ClientPort, createClientPort } from '../client/client-port.ts';
import {
  addClientCalls,
  type ClientParts,
  createClientParts,
  type PeerClient,
} from '../client/peer-client.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { LoopOutcome } from '../presence/presence-machine.ts';
import { type HeartbeatLoopRunOptions, runHeartbeatLoop } from '../presence/run-heartbeat-loop.ts';
import type { RemoteAgentClientOptions } from '../settings/client-settings.ts';
import { abortSignal, func, type OptionsOf, optionsSchema, parseOptions } from '../settings/options.ts';
import { AgentShape } from './agent-options.ts';
import type { MessageHandler } from './handlers.ts';
import { createRemoteAgent, type RemoteAgent } from './remote-agent.ts';

/**
 * The client of an agent: a method per endpoint of the platform, the heartbeat loop and the agent loop.
 *
 * @example
 * const client = new RemoteAgentClient({ workspaceId, platformUrl });
 * await client.register();
 * const reply = await client.callPeer(peerId, 'Summarise the incident');
 */
export interface RemoteAgentClient extends PeerClient, AsyncDisposable {
  /**
   * Sends heartbeats until the workspace is paused or removed, its token is revoked, or the signal aborts. For an agent
   * that receives its work from elsewhere. Register before.
   */
  runHeartbeatLoop(options?: HeartbeatLoopRunOptions): Promise<LoopOutcome>;

  /**
   * Registers, sends heartbeats, receives messages and answers them until the workspace is paused or removed, the
   * token is revoked, or the signal aborts. For an agent that stays running during a pause, use `createRemoteAgent`.
   */
  runAgentLoop(onMessage: MessageHandler, options?: AgentLoopOptions): Promise<LoopOutcome>;

  /** Closes all connections, after up to a second for aborted calls; pending calls reject with `client_closed`. Idempotent. */
  close(): Promise<void>;
}

/** @throws ConfigurationError naming the option and its environment variable. */
export const RemoteAgentClient = class RemoteAgentClient {
  static {
    addClientCalls(RemoteAgentClient.prototype, (client) => client.#parts);
  }

  readonly #parts: ClientParts;
  readonly #port: ClientPort;

  constructor(options: RemoteAgentClientOptions = {}) {
    this.#parts = createClientParts(options);
    this.#port = createClientPort(this.#parts);
    Object.defineProperty(this, CLIENT_PORT, { value: this.#port });
  }

  get workspaceId(): string {
    return this.#port.workspaceId;
  }

  get platformUrl(): string {
    return this.#port.platformUrl;
  }

  get agentCard(): AgentCard {
    return this.#port.agentCard;
  }

  get capabilities(): ReadonlySet<Capability> {
    return this.#port.capabilities;
  }

  runHeartbeatLoop(options: HeartbeatLoopRunOptions = {}): Promise<LoopOutcome> {
    return runHeartbeatLoop(this.#port, options);
  }

  runAgentLoop(onMessage: MessageHandler, options: AgentLoopOptions = {}): Promise<LoopOutcome> {
    return runAgentLoop(this as unknown as PeerClient, onMessage, options);
  }

  close(): Promise<void> {
    return this.#parts.sent.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
} as unknown as new (
  options?: RemoteAgentClientOptions,
) => RemoteAgentClient;

class AgentLoopShape extends AgentShape {
  /** Stops the agent; the loop then resolves with `stopped`. */
  signal = abortSignal();
  /** Called once the agent is registered, sending heartbeats and receiving messages. */
  onStarted = func<(agent: RemoteAgent) => void>('Pass a function, such as (agent) => { … }.');
}

/** The options of `createRemoteAgent` except client and handler. */
export interface AgentLoopOptions extends OptionsOf<AgentLoopShape> {}

const LOOP_OPTIONS = optionsSchema(new AgentLoopShape());

/**
 * Registers and runs an agent until it is paused, removed, revoked or stopped by the signal.
 * @throws the errors of `RemoteAgent.start`, except for a removed workspace, which is an outcome.
 */
export async function runAgentLoop(
  client: PeerClient,
  onMessage: MessageHandler,
  options: AgentLoopOptions,
): Promise<LoopOutcome> {
  parseOptions('runAgentLoop', LOOP_OPTIONS, options);
  const { signal, onStarted, ...rest } = options;
  const agent = createRemoteAgent({ onPause: 'stop', ...rest, client, onMessage });
  const stop = (): void => void agent.stop();
  const isAborted = (): boolean => signal?.aborted ?? false;
  if (onStarted !== undefined) agent.on('started', () => onStarted(agent));
  if (isAborted()) return 'stopped';
  signal?.addEventListener('abort', stop, { once: true });
  try {
    await agent.start();
    return await agent.closed;
  } catch (error) {
    const outcome = await agent.closed;
    if (isAborted() || outcome === 'removed' || outcome === 'revoked') return outcome;
    if (MoleculeError.isInstance(error) && error.code === 'workspace_removed') return 'removed';
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
