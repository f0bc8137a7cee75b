import type { InboundMessage } from '@molecule-ai/protocol';
import type { PeerChange } from '../peers/peer-identities.ts';
import type { PeerInfo } from '../peers/peer-info.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { deriveMessageId } from '../platform-api/idempotency-key.ts';
import { checkCallsOf } from '../settings/known-options.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';
import { ClientIdentity } from './client-identity.ts';
import { CALL, CALL_PEER, LIST_MESSAGES, STREAM_PEER, WAIT_FOR_ANSWER } from './known-options.ts';
import type { WaitForAnswerOptions } from './message-state.ts';
import type { CallPeerOptions, StreamPeerOptions } from './peer-calls.ts';
import { listPeers } from './peer-list.ts';
import type { PeerStream } from './peer-stream.ts';
import { type AskedQuestion, askQuestions, type QuestionsToAsk } from './questions.ts';
import {
  cancelAsWorkspace,
  observeReply,
  readAsWorkspace,
  sendAsWorkspace,
  streamAsWorkspace,
  waitAsWorkspace,
} from './send-as-workspace.ts';
import { type ListMessagesOptions, listSentMessages, type SentMessagePage } from './sent-messages.ts';

/** Finding peers, sending messages to them, and what became of these messages. */
export class PeerMessaging extends ClientIdentity {
  static {
    checkCallsOf<PeerMessaging>(PeerMessaging.prototype, {
      getPeers: [0, CALL],
      discoverPeer: [1, CALL],
      callPeer: [2, CALL_PEER],
      streamPeer: [2, STREAM_PEER, 'throws'],
      sendToPeer: [2, CALL_PEER],
      cancelTask: [1, CALL],
      askQuestions: [1, CALL],
      getMessage: [1, CALL],
      listMessages: [0, LIST_MESSAGES],
      waitForAnswer: [1, WAIT_FOR_ANSWER],
    });
  }

  readonly #context: ClientContext;

  constructor(context: ClientContext) {
    super(context);
    this.#context = context;
  }

  /** The workspaces this agent may communicate with: siblings, children, parent. Their URLs are cached. */
  getPeers(options: CallOptions = {}): Promise<PeerInfo[]> {
    return listPeers(this.#context, options);
  }

  /**
   * Returns the http or https URL of a peer, cached for `peerCacheTtlMs`; `null` when the peer polls or is unknown.
   * @throws AccessDeniedError when the hierarchy does not allow it.
   */
  discoverPeer(peerId: string, options: CallOptions = {}): Promise<string | null> {
    return this.#context.lookup.urlOf(peerId, options);
  }

  /** Removes a peer's URL and its token from the cache, so that the next call asks the platform. */
  invalidatePeerUrl(peerId: string): void {
    this.#context.peers.forget(peerId);
  }

  /** Calls `listener` when a peer is not what it was when it was first used; returns a function that ends that. */
  onPeerChanged(listener: (change: PeerChange) => void): () => void {
    return this.#context.identities.listen(listener);
  }

  /** Calls a peer again whose change was refused (`onPeerChange: 'block'`). Returns whether there was such a change. */
  async acceptPeerChange(peerId: string): Promise<boolean> {
    this.#context.peers.forget(peerId);
    return await this.#context.identities.accept(peerId);
  }

  /**
   * Sends a message to a peer and waits for the answer: to the peer's own server where the platform gives its URL and a token,
   * else, or if that fails, through the platform (`via`). For a peer that polls, is offline or paused the status is `queued`, which
   * is not an error; {@link waitForAnswer} then returns the answer. An abort also cancels the message, in the background; a timeout
   * cancels nothing. In a handler the call names the message that is handled, and ends with its signal and at its deadline.
   * @throws AccessDeniedError when the hierarchy does not allow it; TimeoutError, ConnectionError.
   */
  callPeer(peerId: string, text: string, options: CallPeerOptions = {}): Promise<PeerReply> {
    return sendAsWorkspace(this.#context, peerId, text, options);
  }

  /**
   * Sends a message to a peer as {@link callPeer} does, at once, and returns its answer as it is made: iterate the stream for the
   * pieces of the text, which are as untrusted as the whole. A connection that breaks is opened again, and the stream continues
   * where it was. Where nobody streams, the whole answer is one piece. Leaving the loop cancels nothing; an abort of `signal` cancels
   * the message. Errors of the call come with the iteration.
   * @throws MoleculeError `invalid_argument` for a blank text.
   */
  streamPeer(peerId: string, text: string, options: StreamPeerOptions = {}): PeerStream {
    return streamAsWorkspace(this.#context, peerId, text, options);
  }

  /**
   * Sends a message to a peer and resolves when the platform has stored it. The status is `queued`, or another one if the
   * message, as a repeat, has ended before. The answer arrives as a message with `inReplyTo`, or by {@link waitForAnswer}.
   * @throws AccessDeniedError when the hierarchy does not allow it; TimeoutError, ConnectionError.
   */
  sendToPeer(peerId: string, text: string, options: CallPeerOptions = {}): Promise<PeerReply> {
    return sendAsWorkspace(this.#context, peerId, text, { ...options, holdSeconds: 0 });
  }

  /**
   * Returns a message id, a UUID, that depends on this workspace and the key only, in every process. Sending another text
   * or to another peer with the same id is refused.
   * @throws MoleculeError `invalid_argument` for a blank key.
   */
  deriveMessageId(key: string): string {
    return deriveMessageId(this.workspaceId, key);
  }

  /**
   * Cancels a message that this workspace sent, and returns its state: `canceled`, or how it had ended before. The
   * `signal` of its handler aborts.
   * @throws ApiError `not_found`; MoleculeError `not_supported` for a platform that does not cancel.
   */
  cancelTask(messageId: string, options: CallOptions = {}): Promise<PeerReply> {
    return cancelAsWorkspace(this.#context, messageId, options);
  }

  /**
   * Stores, once, the questions that the handling of a direct message raised; a handler returns its questions instead.
   * @throws AccessDeniedError, ApiError `conflict` when the message has ended, MoleculeError `not_supported`.
   */
  askQuestions(asked: QuestionsToAsk, options: CallOptions = {}): Promise<AskedQuestion[]> {
    const { transport, settings } = this.#context;
    return askQuestions(transport, settings.workspaceId, asked, options);
  }

  /** The state of a message that was sent, and its answer when there is one; does not wait. */
  getMessage(messageId: string, options: CallOptions = {}): Promise<PeerReply> {
    return readAsWorkspace(this.#context, messageId, options);
  }

  /**
   * Lists the messages that this workspace sent through the platform, the latest change first: after a restart,
   * `{ state: 'ended', since }` are the ends that were missed. Messages that went directly are not among them.
   * @throws MoleculeError `not_supported` for a platform without such a list.
   */
  listMessages(options: ListMessagesOptions = {}): Promise<SentMessagePage> {
    const { transport, settings } = this.#context;
    return listSentMessages(transport, settings.workspaceId, options);
  }

  /**
   * Waits until an earlier message ends, or its agent asks something; after the timeout the status is still `queued`. A message that
   * went directly is known to the client that sent it only.
   * An abort ends the wait only. On a platform without the state of messages it waits for the answer on the
   * feed, where other ends are not seen.
   */
  waitForAnswer(messageId: string, options: WaitForAnswerOptions = {}): Promise<PeerReply> {
    return waitAsWorkspace(this.#context, messageId, options);
  }

  /**
   * Takes a message that came in another way than by `fetchInboundPage`, which does this itself: ends the calls that wait for it.
   * Returns whether a call has returned what it says, now or before; then it is not handled.
   */
  observeReply(message: InboundMessage): boolean {
    return observeReply(this.#context, message);
  }
}
