import type { InboundMessage } from '@molecule-ai/protocol';
import type { HistoryOptions, HistoryPage } from '../client/conversation-history.ts';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { Inbound } from '../inbound/inbound.ts';
import { childLogger, type Logger } from '../logging/logger.ts';
import { HeartbeatLoop } from '../presence/heartbeat-loop.ts';
import type { LoopOutcome, PresenceChange } from '../presence/presence-machine.ts';
import { threadOpener } from '../presence/run-heartbeat-loop.ts';
import { AgentInbound } from './agent-inbound.ts';
import type { AgentClient, RemoteAgentSettings } from './agent-options.ts';
import { AgentReport } from './agent-report.ts';
import { AgentRequests } from './agent-requests.ts';
import { exitWhenDead } from './exit-when-dead.ts';
import type { AgentHealth, AgentState } from './health.ts';
import { AutoDelivery, type PlatformProbe, PushProbe } from './push-reach.ts';

/** What an agent consists of. */
export interface AgentParts {
  readonly client: AgentClient;
  readonly logger: Logger;
  readonly report: AgentReport;
  readonly requests: AgentRequests;
  readonly presence: HeartbeatLoop;
  readonly inbound: Inbound;
  /** The receiving side for requests to the agent's own URL. */
  readonly port: AgentInbound;
  /** `null` for an agent with another delivery, or without a URL. */
  readonly autoDelivery: AutoDelivery | null;
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

/** What an agent registers by its delivery; `undefined` for what its client says. */
const MODES = { auto: undefined, own: undefined, 'long-poll': 'poll', poll: 'poll', push: 'push' } as const;

/** Creates and connects the parts of an agent, without any I/O. */
export function createAgentParts<Client extends AgentClient>(
  settings: RemoteAgentSettings<Client>,
  { onSuperseded, onClientClosed, onPresence, isEnding, stop }: AgentPartsListeners,
): AgentParts {
  const { client, random, heartbeatIntervalMs: intervalMs, deliveryChoice, inboundAuth } = settings;
  const { clock, reportedUrl } = client;
  const logger = childLogger(client.logger, { workspaceId: client.workspaceId });
  const report = new AgentReport({ clock, logger, onMetricsChanged: () => presence.metricsChanged() });
  const onClosed = (): void => {
    if (isEnding()) return;
    const text =
      'The client was closed while its agent was running, which ends: stop an agent before its client.';
    const reason: unknown = client.closeSignal?.reason;
    logger.error({ error: reason }, text);
    onClientClosed(reason);
  };
  client.closeSignal?.addEventListener('abort', onClosed, { once: true });
  report.onEnd(() => client.closeSignal?.removeEventListener('abort', onClosed));
  const { exitAfterMs: afterMs } = settings;
  if (afterMs !== null) {
    const lastHeartbeat = () => presence.lastSuccess?.monotonicMs;
    exitWhenDead({ clock, logger, events: report, afterMs, intervalMs, lastHeartbeat, isEnding, stop });
  }
  const requests = new AgentRequests({
    ...settings,
    report,
    logger,
    registration: () => ({
      deliveryMode: autoDelivery?.deliveryMode ?? MODES[deliveryChoice],
      agentCard: port.registeredCard,
    }),
    onRegistered: ({ issuer }) => port.registered(issuer),
    onLost: onSuperseded,
    onRemoved: () => presence.stateChanged('removed'),
  });
  const asking: PlatformProbe = {
    obstacle: () => {
      if (inboundAuth !== 'peer-tokens') return 'inbound_auth';
      return client.capabilities.has('probe') ? null : 'not_offered';
    },
    probe: (signal) => client.probe(reportedUrl ?? '', { signal }),
  };
  const autoDelivery =
    deliveryChoice !== 'auto' || reportedUrl === null
      ? null
      : new AutoDelivery({
          ...asking,
          clock,
          register: (signal) => requests.register({ signal }),
          onChange: (mode, reason) => {
            if (mode === 'push') {
              requests.granted();
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
    intervalMs,
    openThread: threadOpener(client, settings),
    metrics: () => report.metrics(),
    onChange: onPresence,
  });
  const stopObserving = client.onPeerChanged?.((change) => report.emit('peer-changed', change));
  report.onEnd(() => stopObserving?.());
  const inbound = new Inbound({
    ...settings,
    delivery: autoDelivery ?? settings.delivery,
    client: requests,
    clock,
    logger,
    handler: (message, context) =>
      settings.onMessage(message, {
        ...context,
        client,
        history: (history) =>
          historyBefore(client, message, { ...history, signal: history?.signal ?? context.signal }),
        logger: childLogger(logger, { activityId: message.id }),
      }),
    observer: report,
  });
  const { probeAfterMs } = settings;
  // `auto` probes by itself.
  const pushProbe =
    deliveryChoice === 'push' && probeAfterMs !== null
      ? new PushProbe({ ...asking, clock, logger, random, report, afterMs: probeAfterMs })
      : null;
  const port = new AgentInbound({ settings, inbound, logger, report, presence, autoDelivery, pushProbe });
  return { client, logger, report, requests, presence, inbound, port, autoDelivery };
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

interface StartFailure {
  readonly error: unknown;
}

export function describeHealth(
  state: AgentState,
  { report, presence, inbound, autoDelivery }: AgentParts,
  end: StartFailure | LoopOutcome | undefined,
): AgentHealth {
  const { degradedReasons, lastFailure } = report;
  return {
    state,
    presence: presence.state,
    ok: degradedReasons.length === 0 && (state === 'running' || state === 'paused'),
    degradedReasons,
    lastHeartbeatAt: isoTime(presence.lastSuccess?.at),
    consecutiveHeartbeatFailures: presence.consecutiveFailures,
    heartbeats: presence.place,
    eventLoopLagMs: presence.eventLoopLagMs,
    delivery: inbound.deliveryName,
    deliveryReason: autoDelivery?.reason ?? null,
    lastInboundAt: isoTime(inbound.lastReadAt),
    inboundAgeMs: inbound.inboundAgeMs,
    inFlight: inbound.active,
    unfinished: inbound.unfinished,
    acknowledged: inbound.acknowledged,
    deadLetters: inbound.deadLetterCount,
    lastFailure: lastFailure ?? inbound.lastGivenUp,
    endReason: state === 'stopped' && end !== undefined ? endReason(end) : null,
  };
}

function endReason(end: StartFailure | LoopOutcome): string {
  if (typeof end === 'string') return end;
  return MoleculeError.isInstance(end.error) ? end.error.code : 'start_failed';
}

function isoTime(unixMs: number | undefined): string | null {
  return unixMs === undefined ? null : new Date(unixMs).toISOString();
}
