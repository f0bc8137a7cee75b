import type { DeliveryMode, InboundMessage } from '@molecule-ai/protocol';
import type { HistoryOptions, HistoryPage } from '../client/conversation-history.ts';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import type { InboundDelivery } from '../inbound/delivery.ts';
import { Inbound } from '../inbound/inbound.ts';
import { childLogger, type Logger } from '../logging/logger.ts';
import { HeartbeatLoop } from '../presence/heartbeat-loop.ts';
import type { PresenceChange } from '../presence/presence-machine.ts';
import { threadOpener } from '../presence/run-heartbeat-loop.ts';
import { AgentInbound } from './agent-inbound.ts';
import type { AgentClient, RemoteAgentSettings } from './agent-options.ts';
import { AgentReport } from './agent-report.ts';
import { AgentRequests } from './agent-requests.ts';
import { AutoDelivery, type AutoDeliveryOptions } from './auto-delivery.ts';
import { exitWhenDead } from './exit-when-dead.ts';
import { PushProbe, type PushProbeOptions } from './push-probe.ts';

/** What an agent consists of. */
export interface AgentParts {
  readonly logger: Logger;
  readonly report: AgentReport;
  readonly requests: AgentRequests;
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
  const report = new AgentReport({ clock, logger, onMetricsChanged: () => presence.metricsChanged() });
  followClose(client.closeSignal, report, (reason) => {
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
    exitWhenDead({ clock, logger, events: report, afterMs, intervalMs, lastHeartbeat, isEnding, stop });
  }
  const requests = new AgentRequests({
    ...settings,
    report,
    logger,
    registration: () => ({ deliveryMode: modeOf(settings, delivery), agentCard: port.registeredCard }),
    onRegistered: ({ issuer }) => port.registered(issuer),
    onLost: onSuperseded,
    onRemoved: () => presence.stateChanged('removed'),
  });
  const delivery = createDelivery(settings, {
    requests,
    onChange: (mode, reason) => {
      if (mode === 'push') {
        requests.noLongerReads();
        inbound.positionReleased();
      }
      report.emit('delivery-changed', mode, reason);
    },
  });
  const presence = new HeartbeatLoop({
    client: requests,
    clock,
    logger,
    random,
    intervalMs: heartbeatIntervalMs,
    openThread: threadOpener(client, { ...settings, intervalMs: heartbeatIntervalMs }),
    metrics: () => report.metrics(),
    onChange: onPresence,
  });
  const stopObserving = client.onPeerChanged?.((change) => report.emit('peer-changed', change));
  report.onEnd(() => stopObserving?.());
  const inbound = new Inbound({
    ...settings,
    delivery,
    client: requests,
    clock,
    logger,
    handler: (message, context) =>
      settings.onMessage(message, {
        ...context,
        client,
        history: (history) =>
          historyBefore(client, message, { ...history, signal: history?.signal ?? context.signal }),
        // Few handlers log.
        get logger() {
          return childLogger(logger, { activityId: message.id });
        },
      }),
    observer: report,
  });
  const pushProbe = createPushProbe(settings, { clock, logger, random, report });
  const port = new AgentInbound({
    settings,
    inbound,
    logger,
    report,
    onStateChanged: (status) => presence.stateChanged(status),
    onServerChanged: () => {
      if (delivery instanceof AutoDelivery) delivery.probeNow();
    },
    onPushed: () => pushProbe?.pushed(),
    onIssuerChanged: () => presence.registrationNeeded(),
  });
  const deliveryReason = (): string | null => (delivery instanceof AutoDelivery ? delivery.reason : null);
  return { logger, report, requests, presence, inbound, port, deliveryReason };
}

/** The history without the message. A direct message has no row in the feed: what is there came before it. */
async function historyBefore(
  client: AgentClient,
  message: InboundMessage,
  options: HistoryOptions,
): Promise<HistoryPage> {
  if (client.conversationHistory === undefined) {
    throw new MoleculeError('The client of this agent has no history.', {
      code: 'not_supported',
      hint: 'Use a RemoteAgentClient.',
    });
  }
  const { conversationId, id } = message;
  try {
    return await client.conversationHistory(conversationId, { ...options, before: options.before ?? id });
  } catch (error) {
    const isUnknownRow = ApiError.isInstance(error) && error.platformCode === 'cursor_not_found';
    if (!isUnknownRow || options.before !== undefined) throw error;
    return await client.conversationHistory(conversationId, options);
  }
}

function followClose(
  signal: AbortSignal | undefined,
  report: AgentReport,
  onClientClosed: (reason: unknown) => void,
): void {
  const onAbort = (): void => onClientClosed(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  report.onEnd(() => signal?.removeEventListener('abort', onAbort));
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
  parts: Pick<PushProbeOptions, 'clock' | 'logger' | 'random' | 'report'>,
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
