import { type InboundMessage, routes } from '@molecule-ai/protocol';
import { MoleculeError } from '../errors/molecule-error.ts';
import { readPeerInfo } from '../peers/peer-info.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import type { HasSent } from '../peers/sent-directly.ts';
import type { AnySkill } from '../skills/skill.ts';
import { isDescribedBy } from '../skills/skill-card.ts';
import { LatestMap } from '../storage/latest-map.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import { AbandonedCalls, cancelMessage } from './cancellation.ts';
import type { ClientContext } from './client-context.ts';
import { type CallLimits, linkHandling, withinHandling, withOrigin } from './current-message.ts';
import { DirectCalls } from './direct-calls.ts';
import { DirectMessages } from './direct-messages.ts';
import {
  DEFAULT_ANSWER_TIMEOUT_MS,
  readMessageState,
  type WaitForAnswerOptions,
  waitForAnswer,
  waitForAnswerOnFeed,
} from './message-state.ts';
import {
  type AnyContent,
  asCall,
  type CallPeerOptions,
  checkReceived,
  checkSent,
  composeMessage,
  sendThroughProxy,
} from './peer-calls.ts';
import { createPeerStream, type PeerStream } from './peer-stream.ts';
import { requireNoDecision } from './questions.ts';
import { peerSource, platformSource } from './stream-sources.ts';

/** `holdSeconds: 0` sends without waiting. */
type SendOptions = CallPeerOptions & { readonly holdSeconds?: number | undefined };

/** Messages that are remembered, the latest. */
const CAPACITY = 1_000;

/** Why a skill failed: the peer may have another description of it. */
const OF_SKILLS: ReadonlySet<string | null> = new Set([
  'invalid_data',
  'unknown_skill',
  'agent_answer_invalid',
]);

/** A message that was sent. */
interface RememberedMessage {
  readonly peerId: string;
  /** How the message ended, once a call has returned that. */
  returned?: 'answer' | 'other end';
}

/**
 * The messages that this workspace sends: to the peer's server where that is possible, else through the platform. In a handler they are part of
 * its handling.
 */
export class SentMessages {
  readonly #context: ClientContext;
  readonly #abandoned: AbandonedCalls;
  readonly #direct: DirectCalls;
  /** Those that peers got directly and had not ended. */
  readonly #unended: DirectMessages;
  /**
   * By message id. A platform that was killed before it stored that the caller received an answer sends the answer again, as a message;
   * the caller's handler must not get it.
   */
  readonly #latest = new LatestMap<RememberedMessage>(CAPACITY);

  constructor(context: ClientContext) {
    this.#context = context;
    this.#abandoned = new AbandonedCalls(context.api, () => context.close());
    this.#direct = new DirectCalls(context, this.#abandoned);
    this.#unended = new DirectMessages(this.#direct, context);
  }

  /** Aborts when the client closes. */
  get closed(): AbortSignal {
    return this.#abandoned.closed;
  }

  /** Closes all connections, after up to a second for messages that are being canceled. */
  close(): Promise<void> {
    return this.#abandoned.close();
  }

  /** Sends a message and waits for its answer. `holdSeconds: 0` does not wait; the platform stores such a message. */
  async send(peerId: string, content: AnyContent, options: SendOptions): Promise<PeerReply> {
    const { lookup, api, settings } = this.#context;
    const { clock, callTimeoutMs, onPeerChange } = settings;
    const { signal: given, timeoutMs: totalMs = callTimeoutMs, holdSeconds } = options;
    const name = holdSeconds === 0 ? 'send_to_peer' : 'call_peer';
    const skill = await checkSent(content);
    const { message, isDirect, remembered } = this.#compose(name, peerId, content, options);
    const send = async ({ signal, timeoutMs }: CallLimits): Promise<PeerReply> => {
      const endsAt = clock.monotonic() + timeoutMs;
      if (onPeerChange === 'block') await lookup.verify(peerId, { signal });
      if (isDirect && this.#direct.isPossible(message)) {
        const replied = await this.#direct.send(message, { signal, timeoutMs });
        if (replied !== null) {
          this.#unended.add(replied, message);
          return replied;
        }
      }
      const limits = { signal, timeoutMs: Math.max(1, endsAt - clock.monotonic()), holdSeconds };
      return await sendThroughProxy(api, message, limits, this.#abandoned.cancel);
    };
    const limits = { signal: given, timeoutMs: totalMs };
    const reply = await asCall(message.operation, () => withinHandling(limits, clock, send));
    noteEnd(remembered, reply);
    if (skill === undefined) return reply;
    const checked = await checkReceived(reply, skill);
    if (OF_SKILLS.has(checked.code)) void this.#compareSkill(peerId, skill);
    return checked;
  }

  /** As {@link send}, and returns the answer as it is made. */
  stream(peerId: string, content: AnyContent, options: CallPeerOptions): PeerStream {
    const { lookup, api, settings } = this.#context;
    const { signal, timeoutMs = Number.POSITIVE_INFINITY } = options;
    const { message, isDirect, remembered } = this.#compose('stream_peer', peerId, content, options);
    const platform = platformSource(api, message, this.#abandoned.cancel);
    const peer = peerSource(this.#direct, this.#unended, message);
    return createPeerStream({
      settings,
      message,
      ...linkHandling({ signal, timeoutMs }, settings.clock, this.closed),
      sources: isDirect ? [peer, platform] : [platform],
      openTimeoutMs: settings.callTimeoutMs,
      prepare: async (limits) => {
        await checkSent(content);
        if (settings.onPeerChange === 'block') await lookup.verify(peerId, limits);
      },
      onReply: (reply) => {
        if (reply.via === 'direct') this.#unended.add(reply, message);
        noteEnd(remembered, reply);
      },
    });
  }

  /**
   * Waits for the end of a message; in a handler no longer than its handling. On a platform without the state of messages it waits for the answer on
   * the feed.
   */
  wait(
    messageId: string,
    { signal, peerId, timeoutMs = DEFAULT_ANSWER_TIMEOUT_MS }: WaitForAnswerOptions,
  ): Promise<PeerReply> {
    const { api, settings } = this.#context;
    const { workspaceId, clock } = settings;
    return withinHandling({ signal, timeoutMs }, clock, async (limits) => {
      const endsAt = clock.monotonic() + limits.timeoutMs;
      const unended = this.#unended.get(messageId);
      if (unended !== undefined) {
        return this.#unended.waitForEnd(unended, { signal: limits.signal, endsAt });
      }
      try {
        return await waitForAnswer(api, workspaceId, messageId, limits);
      } catch (error) {
        if (!MoleculeError.isInstance(error) || error.code !== 'not_supported') throw error;
        const known = peerId ?? this.#latest.get(messageId)?.peerId;
        const waiting = { signal: limits.signal, endsAt, peerId: known };
        return waitForAnswerOnFeed(api, workspaceId, messageId, waiting);
      }
    });
  }

  /** The state of a message, where it is known: at the platform, or at the peer that got it directly. */
  async read(messageId: string, { signal }: CallOptions): Promise<PeerReply> {
    const unended = this.#unended.get(messageId);
    if (unended !== undefined) return this.#unended.read(unended, { signal });
    const { api, settings } = this.#context;
    return await readMessageState(api, settings.workspaceId, messageId, { signal });
  }

  /** Cancels a message where it is. */
  async cancel(messageId: string, { signal }: CallOptions): Promise<PeerReply> {
    const unended = this.#unended.get(messageId);
    if (unended !== undefined) return this.#unended.cancel(unended, { signal });
    const { api, settings } = this.#context;
    return await cancelMessage(api, settings.workspaceId, messageId, { signal });
  }

  /** Resolves with what tells whether a message with this id went from here to this peer. */
  async known(): Promise<HasSent> {
    const { sentDirectly } = this.#context;
    await sentDirectly.load();
    return (messageId, peerId) =>
      sentDirectly.has(messageId, peerId) ||
      this.#latest.get(messageId)?.peerId.toLowerCase() === peerId.toLowerCase();
  }

  /** Whether a call has returned what a message says, or returns it now: such a message is not handled. */
  observe(message: InboundMessage): boolean {
    return this.#hasReturned(message) || this.#unended.observe(message);
  }

  /** Whether a message says once more what a call has returned. The answer of an agent after a failure is news. */
  #hasReturned({ inReplyTo, peerId, role, metadata }: InboundMessage): boolean {
    const sent = inReplyTo === '' || role !== 'agent' ? undefined : this.#latest.get(inReplyTo);
    if (sent === undefined || sent.peerId.toLowerCase() !== peerId.toLowerCase()) return false;
    return sent.returned === 'answer' || (sent.returned === 'other end' && metadata.delivery_failed === true);
  }

  /** Warns when the card of a peer describes a skill in another way. Never rejects. */
  async #compareSkill(peerId: string, skill: AnySkill): Promise<void> {
    const { api, settings, logger } = this.#context;
    try {
      const { body } = await api.send(routes.listPeers, { params: { id: settings.workspaceId } });
      const rows: unknown[] = Array.isArray(body) ? body : [];
      const peer = rows.map(readPeerInfo).find((each) => each?.id.toLowerCase() === peerId.toLowerCase());
      if (peer === undefined || isDescribedBy(peer.agentCard, skill)) return;
      const hint = 'Each side checks with its own: bring both to one definition.';
      logger.warn(
        { peerId, skill: skill.id, hint },
        'The card of the peer describes a skill differently than this program.',
      );
    } catch {
      // The reply says what failed.
    }
  }

  #compose(
    name: Parameters<typeof composeMessage>[1],
    peerId: string,
    content: AnyContent,
    options: SendOptions,
  ) {
    const { via, holdSeconds, answers } = options;
    requireNoDecision(answers);
    // Answers belong to questions, which the platform keeps.
    const isStored = via === 'proxy' || holdSeconds !== undefined || answers !== undefined;
    if (!isStored) this.#unended.checkTurns();
    const { api, settings } = this.#context;
    const { workspaceId } = settings;
    const metadata = withOrigin(workspaceId, options.metadata, (id) => this.#unended.get(id)?.path);
    const given = metadata === options.metadata ? options : { ...options, metadata };
    const message = composeMessage(api, name, peerId, content, given, workspaceId);
    const remembered = this.#latest.get(message.messageId) ?? { peerId };
    this.#latest.set(message.messageId, remembered);
    /** Whether the server of the peer may get it. */
    const isDirect = !isStored && metadata?.in_reply_to === undefined;
    return { message, isDirect, remembered };
  }
}

/** Call with a reply that the caller gets, unless another one follows. */
function noteEnd(message: RememberedMessage, { status }: PeerReply): void {
  if (status === 'answered') message.returned = 'answer';
  else if (status === 'failed' || status === 'expired') message.returned = 'other end';
}
