import type { Inbound } from '../inbound/inbound.ts';
import { childLogger, type Logger } from '../logging/logger.ts';
import { HeartbeatLoop } from '../presence/heartbeat-loop.ts';
import type { PresenceChange } from '../presence/presence-machine.ts';
import { AgentEventEmitter } from './agent-events.ts';
import { AgentInbound } from './agent-inbound.ts';
import type { AgentClient, RemoteAgentSettings } from './agent-options.ts';
import { createInbound } from './create-inbound.ts';
import { DegradedReasons } from './health.ts';
import { ReaderIdentity } from './reader-identity.ts';
import { TaskMetrics } from './task-metrics.ts';

/** What an agent consists of. */
export interface AgentParts {
  readonly logger: Logger;
  readonly events: AgentEventEmitter;
  readonly degraded: DegradedReasons;
  readonly tasks: TaskMetrics;
  readonly identity: ReaderIdentity;
  /** The client for presence and for reading, as this running agent. */
  readonly requests: ReaderIdentity['requests'];
  readonly presence: HeartbeatLoop;
  readonly inbound: Inbound;
  /** The receiving side for requests to the agent's own URL. */
  readonly port: AgentInbound;
}

export interface AgentPartsListeners {
  /** Another agent reads, and this one ends. */
  readonly onSuperseded: () => void;
  readonly onPresence: (change: PresenceChange, error: unknown) => void;
}

/** Creates and connects the parts of an agent, without any I/O. */
export function createAgentParts<Client extends AgentClient>(
  settings: RemoteAgentSettings<Client>,
  { onSuperseded, onPresence }: AgentPartsListeners,
): AgentParts {
  const { client, random, heartbeatIntervalMs } = settings;
  const { clock } = client;
  const logger = childLogger(client.logger, { workspaceId: client.workspaceId });
  const events = new AgentEventEmitter((event, error) =>
    logger.error({ error, event }, 'A listener of the agent failed.'),
  );
  const degraded = new DegradedReasons(events);
  const tasks = new TaskMetrics(clock);
  const identity = new ReaderIdentity({ ...settings, degraded, logger, onLost: onSuperseded });
  const own = identity.requests;
  const requests: AgentParts['requests'] = {
    ...own,
    register: async (options) => {
      const registration = await own.register(options);
      port.registered(registration.issuer);
      return registration;
    },
  };
  const presence = new HeartbeatLoop({
    client: requests,
    clock,
    logger,
    random,
    intervalMs: heartbeatIntervalMs,
    metrics: () => tasks.current(),
    onChange: onPresence,
  });
  const inbound = createInbound({
    settings,
    reader: requests,
    events,
    tasks,
    degraded,
    logger,
    onMetricsChanged: () => presence.metricsChanged(),
    isRefused: () => identity.isRefused,
  });
  const port = new AgentInbound({
    settings,
    inbound,
    logger,
    onStateChanged: (status) => presence.stateChanged(status),
  });
  return { logger, events, degraded, tasks, identity, requests, presence, inbound, port };
}
