import type { DeliveryMode } from '@molecule-ai/protocol';
import type { InboundDelivery } from '../inbound/delivery.ts';
import type { Inbound } from '../inbound/inbound.ts';
import { childLogger, type Logger } from '../logging/logger.ts';
import { HeartbeatLoop } from '../presence/heartbeat-loop.ts';
import type { PresenceChange } from '../presence/presence-machine.ts';
import { threadOpener } from '../presence/run-heartbeat-loop.ts';
import { AgentEventEmitter } from './agent-events.ts';
import { AgentInbound } from './agent-inbound.ts';
import type { AgentClient, RemoteAgentSettings } from './agent-options.ts';
import { AutoDelivery, type AutoDeliveryOptions } from './auto-delivery.ts';
import { createInbound } from './create-inbound.ts';
import { exitWhenDead } from './exit-when-dead.ts';
import { DegradedReasons } from './health.ts';
import { loggableError } from './observe-inbound.ts';
import { PushProbe, type PushProbeOptions } from './push-probe.ts';
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
  /** Why `auto` does not push; `null` when it does, and with another delivery. */
  readonly deliveryReason: () => string | null;
}

export interface AgentPartsListeners {
  /** Another agent reads, and this one ends. */
  readonly onSuperseded: () => void;
  /** The client was closed: nothing can be sent any more, and what is not finished stays stored for the next agent. */
  readonly onClientClosed: (reason: unknown) => void;
  readonly onPresence: (change: PresenceChange, error: unknown) => void;
  /** Whether a stop, or another end of the agent, has begun; also before its start. */
  readonly isEnding: () => boolean;
  /** Stops the agent. */
  readonly stop: (limits: { readonly timeoutMs: number }) => Promise<void>;
}

/** Creates and connects the parts of an agent, without any I/O. */
export function createAgentParts<Client extends AgentClient>(
  settings: RemoteAgentSettings<Client>,
  { onSuperseded, onClientClosed, onPresence, isEnding, stop }: AgentPartsListeners,
): AgentParts {
  const { client, random, heartbeatIntervalMs } = settings;
  const { clock } = client;
  const logger = childLogger(client.logger, { workspaceId: client.workspaceId });
  const events = new AgentEventEmitter((event, error, [message]) => {
    const text: unknown = Reflect.get(Object(message), 'text');
    const loggable = loggableError(error, typeof text === 'string' ? text : '');
    logger.error({ error: loggable, event }, 'A listener of the agent failed.');
  });
  followClose(client.closeSignal, events, (reason) => {
    if (isEnding()) return;
    const text =
      'The client was closed while its agent was running, which ends: stop an agent before its client.';
    logger.error({ error: reason }, text);
    onClientClosed(reason);
  });
  const { exitAfterMs: afterMs } = settings;
  if (afterMs !== null) {
    const lastHeartbeat = () => presence.lastSuccess?.monotonicMs;
    const intervalMs = heartbeatIntervalMs;
    exitWhenDead({ clock, logger, events, afterMs, intervalMs, lastHeartbeat, isEnding, stop });
  }
  const degraded = new DegradedReasons(events);
  const tasks = new TaskMetrics(clock);
  const identity = new ReaderIdentity({
    ...settings,
    degraded,
    logger,
    onLost: onSuperseded,
    onRemoved: () => presence.stateChanged('removed'),
  });
  const own = identity.requests;
  const requests: AgentParts['requests'] = {
    ...own,
    register: async (options) => {
      const registration = await own.register({
        ...options,
        deliveryMode: modeOf(settings, delivery),
        agentCard: port.registeredCard,
      });
      port.registered(registration.issuer);
      return registration;
    },
  };
  const delivery = createDelivery(settings, {
    requests,
    onChange: (mode, reason) => {
      if (mode === 'push') {
        identity.noLongerReads();
        inbound.positionReleased();
      }
      events.emit('delivery-changed', mode, reason);
    },
  });
  const presence = new HeartbeatLoop({
    client: requests,
    clock,
    logger,
    random,
    intervalMs: heartbeatIntervalMs,
    openThread: threadOpener(client, { ...settings, intervalMs: heartbeatIntervalMs }),
    metrics: () => tasks.current(),
    onChange: onPresence,
  });
  const inbound = createInbound({
    settings: { ...settings, delivery },
    reader: requests,
    events,
    tasks,
    degraded,
    logger,
    onMetricsChanged: () => presence.metricsChanged(),
    isRefused: () => identity.isRefused,
  });
  const pushProbe = createPushProbe(settings, { clock, logger, random, events, degraded });
  const port = new AgentInbound({
    settings,
    inbound,
    logger,
    degraded,
    onStateChanged: (status) => presence.stateChanged(status),
    onServerChanged: () => {
      if (delivery instanceof AutoDelivery) delivery.probeNow();
    },
    onPushed: () => pushProbe?.pushed(),
    onIssuerChanged: () => presence.registrationNeeded(),
  });
  const deliveryReason = (): string | null => (delivery instanceof AutoDelivery ? delivery.reason : null);
  return { logger, events, degraded, tasks, identity, requests, presence, inbound, port, deliveryReason };
}

function followClose(
  signal: AbortSignal | undefined,
  events: AgentEventEmitter,
  onClientClosed: (reason: unknown) => void,
): void {
  const onAbort = (): void => onClientClosed(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  events.onEnd(() => signal?.removeEventListener('abort', onAbort));
}

/** `auto` of an agent with a URL switches between push and long-poll. */
function createDelivery(
  {
    client,
    delivery,
    deliveryChoice,
    inboundAuth,
  }: Pick<RemoteAgentSettings, 'client' | 'delivery' | 'deliveryChoice' | 'inboundAuth'>,
  { requests, onChange }: Pick<AgentParts, 'requests'> & Pick<AutoDeliveryOptions, 'onChange'>,
): InboundDelivery {
  const { reportedUrl } = client;
  if (deliveryChoice !== 'auto' || reportedUrl === null) return delivery;
  return new AutoDelivery({
    obstacle: () => obstacleToProbe({ client, inboundAuth }),
    probe: (signal) => client.probe(reportedUrl, { signal }),
    register: (signal) => requests.register({ signal }),
    onChange,
  });
}

/** `auto` probes by itself. */
function createPushProbe(
  {
    client,
    deliveryChoice,
    inboundAuth,
    probeAfterMs: afterMs,
  }: Pick<RemoteAgentSettings, 'client' | 'deliveryChoice' | 'inboundAuth' | 'probeAfterMs'>,
  parts: Pick<PushProbeOptions, 'clock' | 'logger' | 'random' | 'events' | 'degraded'>,
): PushProbe | undefined {
  const { reportedUrl } = client;
  if (deliveryChoice !== 'push' || reportedUrl === null || afterMs === null) return undefined;
  return new PushProbe({
    ...parts,
    afterMs,
    isOffered: () => obstacleToProbe({ client, inboundAuth }) === null,
    probe: (signal) => client.probe(reportedUrl, { signal }),
  });
}

function obstacleToProbe({
  client,
  inboundAuth,
}: Pick<RemoteAgentSettings, 'client' | 'inboundAuth'>): ReturnType<AutoDeliveryOptions['obstacle']> {
  if (inboundAuth !== 'peer-tokens') return 'inbound_auth';
  return client.capabilities.has('probe') ? null : 'not_offered';
}

/** What the agent registers; `undefined` for what its client says. */
function modeOf(
  { deliveryChoice }: Pick<RemoteAgentSettings, 'deliveryChoice'>,
  delivery: InboundDelivery,
): DeliveryMode | undefined {
  if (delivery instanceof AutoDelivery) return delivery.deliveryMode;
  if (deliveryChoice === 'own' || deliveryChoice === 'auto') return undefined;
  return deliveryChoice === 'push' ? 'push' : 'poll';
}
