import { Inbound } from '../inbound/inbound.ts';
import { childLogger, type Logger } from '../logging/logger.ts';
import type { AgentClient, RemoteAgentSettings } from './agent-options.ts';
import { type ObserveInboundOptions, observeInbound } from './observe-inbound.ts';

export interface CreateInboundOptions<Client extends AgentClient> extends ObserveInboundOptions {
  readonly settings: RemoteAgentSettings<Client>;
  /** Reads the feed as this running agent. */
  readonly reader: Pick<AgentClient, 'fetchInboundPage'>;
  readonly logger: Logger;
}

/** Connects the receiving side of an agent with its client, its handler and what observes it. */
export function createInbound<Client extends AgentClient>(options: CreateInboundOptions<Client>): Inbound {
  const { settings, reader, logger, degraded } = options;
  const { client } = settings;
  const { reportProgress, sendInboundProbe } = client;
  const stopObserving = client.onPeerChanged?.((change) => options.events.emit('peer-changed', change));
  options.events.on('stopped', () => stopObserving?.());
  return new Inbound({
    ...settings,
    client: {
      workspaceId: client.workspaceId,
      get capabilities() {
        return client.capabilities;
      },
      fetchInboundPage: (query) => reader.fetchInboundPage(query),
      fetchCancellations: (query) => client.fetchCancellations(query),
      askQuestions: (asked, more) => client.askQuestions(asked, more),
      ...(sendInboundProbe && { sendInboundProbe: (id, more) => sendInboundProbe.call(client, id, more) }),
      ...(reportProgress && { reportProgress: (report, more) => reportProgress.call(client, report, more) }),
      acknowledge: (upTo, more) => degraded.followLimits('acknowledge', client.acknowledge(upTo, more)),
      observeReply: (message) => client.observeReply?.(message) ?? false,
      reply: (message, answer, more) => degraded.followLimits('reply', client.reply(message, answer, more)),
    },
    clock: client.clock,
    logger,
    handler: (message, context) =>
      settings.onMessage(message, {
        ...context,
        client,
        logger: childLogger(logger, { activityId: message.id }),
      }),
    observer: observeInbound(options),
  });
}
