import type { InboundMessage } from '@molecule-ai/protocol';
import { ConnectionError } from '../errors/connection-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { type PeerReply, readReply, readReplyMessage } from '../peers/peer-reply.ts';
import { LatestMap } from '../storage/latest-map.ts';
import { linkAbort } from '../time/linked-abort.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';
import { currentMessage, type MessagePath, pathOfMessage } from './current-message.ts';
import type { DirectCalls } from './direct-calls.ts';
import { isAnswer, readOwnFeed } from './message-state.ts';
import type { OutgoingMessage } from './peer-calls.ts';

/** Messages whose state is kept, the latest; of older ones a late answer is still a message on the feed. */
const CAPACITY = 1_000;
const FIRST_PAUSE_MS = 1_000;
const LAST_PAUSE_MS = 5_000;
/** As on the platform: docs/contract/messages.md#loops. */
const MAX_TURNS = 500;

interface DirectMessage {
  readonly messageId: string;
  readonly peerId: string;
  readonly contextId: string;
  readonly path: MessagePath;
  /** Late answers that were handled on the way to it. */
  readonly turns: number;
  /** Whether somebody got its end: a message that says it again is not handled. */
  isReturned: boolean;
  /** Those who wait for its end. */
  readonly waiting: Set<(reply: PeerReply) => void>;
}

/**
 * Messages that peers got directly and had not ended when the call returned. The platform has no record of them: their state is
 * here, in memory, and at the peer.
 */
export class DirectMessages {
  readonly #calls: DirectCalls;
  readonly #context: ClientContext;
  readonly #messages = new LatestMap<DirectMessage>(CAPACITY);

  constructor(calls: DirectCalls, context: ClientContext) {
    this.#calls = calls;
    this.#context = context;
  }

  /** Remembers a message that has not ended. */
  add({ status, messageId, peerId, contextId }: PeerReply, { body }: OutgoingMessage): void {
    this.#messages.delete(messageId);
    if (status !== 'queued' && status !== 'input-required') return;
    this.#context.sentDirectly.add(messageId, peerId);
    this.#messages.set(messageId, {
      messageId,
      peerId,
      contextId,
      path: pathOfMessage([this.#context.settings.workspaceId, peerId], body.params.message.metadata ?? {}),
      turns: this.#turns(),
      isReturned: false,
      waiting: new Set(),
    });
  }

  /** @throws MoleculeError `loop_detected` for a message that follows from too many late answers. */
  checkTurns(): void {
    if (this.#turns() <= MAX_TURNS) return;
    const text = `Not sent, because it would continue a loop: ${MAX_TURNS} messages were sent because of late answers, each after the one before.`;
    const hint = 'Do not repeat the call: answer without it.';
    throw new MoleculeError(text, { code: 'loop_detected', hint });
  }

  #turns(): number {
    const answered = this.#messages.get(currentMessage()?.inReplyTo ?? '');
    return answered === undefined ? 0 : answered.turns + 1;
  }

  /** Its state is no longer at the peer. */
  forget(messageId: string): void {
    this.#messages.delete(messageId);
  }

  /** `undefined` for a message of which the platform knows the state, or nobody. */
  get(messageId: string): DirectMessage | undefined {
    return this.#messages.get(messageId);
  }

  /** Asks the peer for the state; `queued` when it cannot be asked. */
  async read(message: DirectMessage, { signal }: CallOptions): Promise<PeerReply> {
    return (await this.#ask(message, 'tasks/get', signal)) ?? queued(message);
  }

  /** @throws ConnectionError when the peer cannot be asked. */
  async cancel(message: DirectMessage, { signal }: CallOptions): Promise<PeerReply> {
    const reply = await this.#ask(message, 'tasks/cancel', signal);
    if (reply !== null) return reply;
    throw new ConnectionError('The peer that got the message directly could not be asked to cancel it.', {
      origin: '',
      delivered: 'unknown',
      hint: 'The peer may handle the message to its end. Try again, or ignore its answer.',
    });
  }

  /** Waits for the end: by asking the peer, and for the message that brings it. After `endsAt` the status is `queued`. */
  async waitForEnd(
    message: DirectMessage,
    { signal, endsAt }: CallOptions & { readonly endsAt: number },
  ): Promise<PeerReply> {
    const { clock } = this.#context.settings;
    const arrived = Promise.withResolvers<PeerReply>();
    message.waiting.add(arrived.resolve);
    try {
      for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(LAST_PAUSE_MS, pauseMs * 2)) {
        const asked = await Promise.race([arrived.promise, this.#askOrRead(message, signal)]);
        const now = clock.monotonic();
        if (asked.status !== 'queued' || now >= endsAt) return asked;
        using pause = linkAbort(signal);
        const slept = clock.sleep(Math.min(pauseMs, endsAt - now), { signal: pause.signal }).then(() => null);
        slept.catch(() => {});
        const reply = await Promise.race([arrived.promise, slept]);
        pause.abort();
        if (reply !== null) return reply;
      }
    } finally {
      message.waiting.delete(arrived.resolve);
    }
  }

  /** Whether a message reports the end of one that was sent, and somebody has got that end or gets it now. */
  observe(message: InboundMessage): boolean {
    const sent = this.#messages.get(message.inReplyTo);
    if (sent === undefined || !isAnswer(message, sent.messageId, sent.peerId)) return false;
    if (sent.waiting.size > 0) {
      const reply = this.#ended(sent, readReplyMessage(message, factsOf(sent)));
      for (const resolve of sent.waiting) resolve(reply);
    }
    return sent.isReturned;
  }

  /** The state at the peer, or, when it does not say it, the answer among the newest messages to this workspace. */
  async #askOrRead(message: DirectMessage, signal: AbortSignal | undefined): Promise<PeerReply> {
    const asked = await this.#ask(message, 'tasks/get', signal);
    if (asked !== null) return asked;
    const { api, settings } = this.#context;
    const { sentDirectly } = this.#context;
    const reading = readOwnFeed(api, settings.workspaceId, {
      signal,
      hasSent: (...sent) => sentDirectly.has(...sent),
    });
    const feed = await reading.catch((error: unknown) => {
      signal?.throwIfAborted();
      const text = 'The feed could not be read while waiting for an answer.';
      settings.logger.debug({ error }, text);
      return null;
    });
    const row = feed?.deliverable.find((each) => isAnswer(each, message.messageId, message.peerId));
    return row === undefined
      ? queued(message)
      : this.#ended(message, readReplyMessage(row, factsOf(message)));
  }

  async #ask(
    message: DirectMessage,
    method: 'tasks/get' | 'tasks/cancel',
    signal: AbortSignal | undefined,
  ): Promise<PeerReply | null> {
    const { messageId, peerId } = message;
    const body = await this.#calls.ask(peerId, { messageId, method }, signal);
    return body === null ? null : this.#ended(message, readReply(body, factsOf(message)));
  }

  #ended(message: DirectMessage, reply: PeerReply): PeerReply {
    if (reply.status !== 'queued' && reply.status !== 'input-required') message.isReturned = true;
    return reply;
  }
}

function factsOf({ messageId, peerId, contextId }: DirectMessage) {
  return { messageId, peerId, contextId, isWrapped: false, via: 'direct' } as const;
}

function queued(message: DirectMessage): PeerReply {
  return readReply({ queued: true }, factsOf(message));
}
