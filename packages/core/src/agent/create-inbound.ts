import type { InboundMessage } from '@molecule-ai/protocol';
import type { CancellationPage } from '../client/cancellation.ts';
import type { HistoryOptions, HistoryPage } from '../client/conversation-history.ts';
import type { Acknowledgement, InboundPage } from '../client/inbound-page.ts';
import type { ReplyReceipt } from '../client/reply.ts';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { Inbound } from '../inbound/inbound.ts';
import type { InboundOptions } from '../inbound/inbound-options.ts';
import { childLogger, type Logger } from '../logging/logger.ts';
import type { AgentClient, RemoteAgentSettings } from './agent-options.ts';
import type { DegradedReasons } from './health.ts';
import { type ObserveInboundOptions, observeInbound } from './observe-inbound.ts';

export interface CreateInboundOptions<Client extends AgentClient> extends ObserveInboundOptions {
  readonly settings: RemoteAgentSettings<Client>;
  /** Reads the feed as this running agent. */
  readonly reader: Pick<AgentClient, 'fetchInboundPage'>;
  readonly logger: Logger;
}

/** Connects the receiving side of an agent with its client, its handler and what observes it. */
export function createInbound<Client extends AgentClient>(options: CreateInboundOptions<Client>): Inbound {
  const { settings, logger } = options;
  const { client } = settings;
  const stopObserving = client.onPeerChanged?.((change) => options.events.emit('peer-changed', change));
  options.events.onEnd(() => stopObserving?.());
  return new Inbound({
    ...settings,
    client: new InboundClient(options),
    clock: client.clock,
    logger,
    handler: (message, context) =>
      settings.onMessage(message, {
        ...context,
        client,
        history: (history) =>
          historyBefore(client, message, { ...history, signal: history?.signal ?? context.signal }),
        logger: childLogger(logger, { activityId: message.id }),
      }),
    observer: observeInbound(options),
  });
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

type FeedClient = InboundOptions['client'];

/** What the receiving side needs of the client. A class, because an object with a getter and spreads is several times larger. */
class InboundClient<Client extends AgentClient> implements FeedClient {
  readonly workspaceId: string;
  readonly reportProgress?: NonNullable<FeedClient['reportProgress']>;
  readonly sendInboundProbe?: NonNullable<FeedClient['sendInboundProbe']>;
  readonly #client: Client;
  readonly #reader: CreateInboundOptions<Client>['reader'];
  readonly #degraded: DegradedReasons;

  constructor({ settings, reader, degraded }: CreateInboundOptions<Client>) {
    const { client } = settings;
    this.#client = client;
    this.#reader = reader;
    this.#degraded = degraded;
    this.workspaceId = client.workspaceId;
    if (client.reportProgress) this.reportProgress = client.reportProgress.bind(client);
    if (client.sendInboundProbe) this.sendInboundProbe = client.sendInboundProbe.bind(client);
  }

  get capabilities(): Client['capabilities'] {
    return this.#client.capabilities;
  }

  fetchInboundPage(...read: Parameters<AgentClient['fetchInboundPage']>): Promise<InboundPage> {
    return this.#reader.fetchInboundPage(...read);
  }

  fetchCancellations(...read: Parameters<AgentClient['fetchCancellations']>): Promise<CancellationPage> {
    return this.#client.fetchCancellations(...read);
  }

  askQuestions(...asked: Parameters<AgentClient['askQuestions']>): ReturnType<AgentClient['askQuestions']> {
    return this.#client.askQuestions(...asked);
  }

  acknowledge(...acknowledged: Parameters<AgentClient['acknowledge']>): Promise<Acknowledgement> {
    return this.#degraded.followLimits('acknowledge', this.#client.acknowledge(...acknowledged));
  }

  observeReply(message: InboundMessage): boolean {
    return this.#client.observeReply?.(message) ?? false;
  }

  reply(...answer: Parameters<AgentClient['reply']>): Promise<ReplyReceipt> {
    return this.#degraded.followLimits('reply', this.#client.reply(...answer));
  }
}
