import { randomUUID } from 'node:crypto';
import {
  buildSendMessage,
  extractAnswerText,
  extractParts,
  isJsonObject,
  type JsonObject,
  type MessagePart,
  type MessageView,
  textPart,
  toA2a03Parts,
  viewMessage,
  withOriginal,
  withoutPlatformWords,
} from '@molecule-ai/protocol';
import { traceHeaders } from '@molecule-ai/telemetry';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { MessageRow } from '../database/schema.ts';
import { isDirect, type MessageStore, type SentOutcomeRow } from './message.store.ts';
import {
  AGENT_FAILED,
  type Failure,
  messageIdConflict,
  type Outcome,
  outcomeCode,
  outcomeError,
  RPC_ERROR,
  readJson,
  storedOutcome,
} from './outcome.ts';
import { pathOfAnswer } from './path.ts';
import type { MessageQueue } from './queue.ts';
import {
  hashMessage,
  inContext,
  inTraceOf,
  originalOf,
  type PassedHeaders,
  traceOf,
  withoutDeadline,
} from './request.ts';

/** UTF-16 units of a message that is never replaced by a notice of it, because that would save nothing. */
const SMALL = 4_096;
/** Receipts of outcomes are written together: those of so much time, in milliseconds, and so many in one statement. */
const WRITE_AFTER_MS = 250;
const BATCH = 200;

/** A message in which the target of a request answers it. */
export interface ReplyMessage {
  readonly view: MessageView;
  readonly messageId: string;
  readonly bodyHash: string;
  /** Of its request. Of these only the trace is passed on, because the message is in the form of the platform. */
  readonly headers?: PassedHeaders;
}

/** The message that has an outcome. */
type OutcomeRequest = Pick<MessageRow, 'id' | 'message_id' | 'context_id'>;

interface OutcomeFeedOptions extends Pick<PlatformContext, 'clock' | 'database' | 'logger' | 'workspaces'> {
  readonly store: MessageStore;
  readonly queue: MessageQueue;
}

/**
 * Delivers outcomes to callers that do not wait, and those that a held call did not receive; of the others it records the receipt. An outcome
 * whose receipt was not stored when the process was killed is delivered again: at least once.
 */
export class OutcomeFeed {
  readonly #options: OutcomeFeedOptions;
  /** Outcomes whose receipts are not written yet. */
  #received: SentOutcomeRow[] = [];
  #cancelWrite: (() => void) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: OutcomeFeedOptions) {
    this.#options = options;
  }

  /** Puts outcomes on feeds that a killed process had sent to held calls without learning whether they arrived. */
  async recover(): Promise<void> {
    for (const message of await this.#options.store.listUnreceived()) await this.#enqueueUnreceived(message);
  }

  /** Confirms whether a waiting client got the outcome, or left just before. It keeps nothing else of the row, whose answer may be long. */
  confirmation({ id, changed_at, caller_receipt: receipt }: MessageRow): (isReceived: boolean) => void {
    const sent = { id, changed_at };
    return (isReceived) => {
      if (receipt !== 'sent') return;
      if (isReceived) {
        this.#received.push(sent);
        if (this.#isClosed) void this.#writeReceipts();
        else
          this.#cancelWrite ??= this.#options.clock.schedule(
            WRITE_AFTER_MS,
            () => void this.#writeReceipts(),
          );
        return;
      }
      this.#enqueueUnreceived(sent).catch((error: unknown) => {
        const fields = { messageId: id, reason: String(error) };
        const text = "An outcome could not be put on its caller's feed; it will be after a restart.";
        this.#options.logger.error(fields, text);
      });
    };
  }

  /** Stores the collected receipts, and each later one at once, because the platform stops. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.#writeReceipts();
  }

  #writeReceipts(): Promise<void> {
    this.#cancelWrite?.();
    this.#cancelWrite = undefined;
    const received = this.#received;
    this.#received = [];
    this.#writing = this.#writing.then(async () => {
      const { logger, store } = this.#options;
      try {
        for (let from = 0; from < received.length; from += BATCH) {
          await store.markReceived(received.slice(from, from + BATCH));
        }
      } catch (error) {
        const text = 'Failed to store receipts of outcomes; the outcomes may be delivered again';
        logger.warn({ reason: String(error) }, text);
      }
    });
    return this.#writing;
  }

  #enqueueUnreceived(sent: SentOutcomeRow): Promise<void> {
    return this.#options.database.transaction(async (unit) => {
      const { store } = this.#options;
      if (!(await store.claimUnreceived(sent, unit.trx))) return;
      const message = await store.findWithAnswer(sent.id, unit.trx);
      const outcome = message === undefined ? undefined : storedOutcome(message);
      if (message === undefined || outcome === undefined) return;
      await this.enqueue(unit, message, outcomeMessage(message, outcome));
    });
  }

  /**
   * Sends an outcome to a caller that does not wait, as an ordinary message of the queue: a polling caller reads it,
   * a pushed one gets it posted. It needs no answer, because it is itself one. Where no more messages fit, the caller gets
   * a notice of it, and reads the outcome from the message; of a direct message it gets nothing.
   */
  async enqueue(
    unit: UnitOfWork,
    request: MessageRow,
    message: (Omit<ReplyMessage, 'bodyHash'> & { readonly bodyHash?: string }) | undefined,
  ): Promise<void> {
    const { queue, store, workspaces } = this.#options;
    const callerId = request.source_id;
    if (message === undefined || callerId === null) return;
    await unit.lock?.(callerId);
    const caller = await workspaces.find(callerId, unit.trx);
    if (caller === undefined || caller.status === 'removed') return;
    const isLimited = isDirect(request);
    const isFull =
      (isLimited || !isSmall(message.view)) &&
      (await queue.checkRoom(callerId, request.target_id, unit.trx)) !== undefined;
    // Its agent may have invented the message; whoever did send it reads the outcome from the record.
    if (isFull && isLimited) return;
    const given = withoutDeadline(isFull ? noticeOfAnswer(request, message) : message.view);
    const enqueueAs = (messageId: string, view: MessageView) =>
      queue.enqueue(unit, {
        callerId: request.target_id,
        target: caller,
        view: aboutOriginal(
          request.context_id === null ? view : inContext(view, request.context_id),
          request,
        ),
        messageId,
        inReplyTo: request.message_id,
        headers: inTraceOf(traceHeaders(traceOf(message.headers ?? {})), request),
        bodyHash: message.bodyHash ?? hashMessage(callerId, view.envelope),
        path: pathOfAnswer(request),
        traceId: request.trace_id,
        summary: `answer → ${caller.name}`,
        outcomeExpected: false,
        answersId: request.id,
        failure: shownFailure(request),
      });
    const { messageId } = message;
    if ((await enqueueAs(messageId, given)) !== undefined) return;
    const known = await store.findByCaller({ caller: request.target_id, messageId }, unit.trx);
    if (message.bodyHash !== undefined) throw messageIdConflict({ message_id: messageId });
    if (known?.answers_id === request.id && known.body_hash === hashMessage(callerId, given.envelope)) return;
    // The agent has sent a message under the id that the platform chose: one that it cannot guess is free.
    const freeId = `${messageId}-${randomUUID()}`;
    if ((await enqueueAs(freeId, withMessageId(given, freeId))) === undefined) {
      throw new Error('A new message id was used before.');
    }
  }
}

/** The message with what it is about, whatever its sender wrote in its place. */
function aboutOriginal({ envelope, params }: MessageView, request: MessageRow): MessageView {
  const { message } = params;
  if (!isJsonObject(message)) return viewMessage(envelope);
  const metadata = withOriginal(isJsonObject(message.metadata) ? message.metadata : {}, originalOf(request));
  return viewMessage({ ...envelope, params: { ...params, message: { ...message, metadata } } });
}

function withMessageId({ envelope, params }: MessageView, messageId: string): MessageView {
  const message = isJsonObject(params.message) ? params.message : {};
  return viewMessage({
    ...envelope,
    id: messageId,
    params: { ...params, message: { ...message, messageId } },
  });
}

function isSmall({ envelope }: MessageView): boolean {
  return JSON.stringify(envelope).length <= SMALL;
}

/**
 * The message that delivers an outcome to a caller that no longer waits. It has the role `agent` and `in_reply_to`, so
 * nobody answers it. Bare text; it is wrapped where an agent gets it. Undefined for ends without a message:
 * `unanswered` and `canceled`.
 */
export function outcomeMessage(
  request: OutcomeRequest,
  outcome: Outcome,
): { readonly messageId: string; readonly view: MessageView } | undefined {
  const about: JsonObject = { in_reply_to: request.message_id, in_reply_to_activity: request.id };
  if (outcome.state === 'answered' || outcome.state === 'input_required') {
    const { answer, state, at } = outcome;
    const isAnswer = state === 'answered';
    // An agent may interrupt one message by several questions, one after the other.
    const messageId = isAnswer ? `answer-${request.id}` : `question-${request.id}-${Date.parse(at)}`;
    const given = extractParts(answer);
    const parts = given.length === 0 ? [textPart(extractAnswerText(answer))] : toA2a03Parts(given);
    const metadata = isAnswer ? about : { ...metadataOf(answer), ...about, state };
    return { messageId, view: messageAbout(request, messageId, metadata, parts) };
  }
  const error = outcomeError(outcome, false);
  if (error === undefined) return undefined;
  const messageId = `failure-${request.id}`;
  const text = `Your message ${request.message_id} was not answered: ${error.error ?? 'delivery failed'}`;
  const code = outcomeCode(outcome) ?? 'agent_error';
  const metadata = { ...about, delivery_failed: true, state: outcome.state, code };
  return { messageId, view: messageAbout(request, messageId, metadata, [textPart(text)]) };
}

/** Takes the place of an answer that does not fit among what waits for its caller. */
function noticeOfAnswer(
  request: OutcomeRequest,
  { messageId, view }: { readonly messageId: string; readonly view: MessageView },
): MessageView {
  const text = `Your message ${request.message_id} has an answer, which did not fit into your feed: read the message to get it.`;
  const { state } = view.metadata;
  const about = { in_reply_to: request.message_id, in_reply_to_activity: request.id };
  const metadata = { ...about, ...(state === undefined ? {} : { state }), answer_omitted: true };
  return messageAbout(request, messageId, metadata, [textPart(text)]);
}

function messageAbout(
  { context_id: contextId }: OutcomeRequest,
  messageId: string,
  metadata: JsonObject,
  parts: readonly JsonObject[],
): MessageView {
  const shown = { messageId, role: 'agent', contextId: contextId ?? undefined, metadata } as const;
  const envelope = buildSendMessage({ ...shown, parts: parts as MessagePart[] });
  return viewMessage(envelope as unknown as JsonObject);
}

function metadataOf({ result }: JsonObject): JsonObject {
  const given = isJsonObject(result) && isJsonObject(result.metadata) ? result.metadata : {};
  // Only the platform says these of an outcome.
  const { code: _code, ...others } = withoutPlatformWords(given, 'origin', 'kind');
  return others;
}

/**
 * Why a message failed or expired, for a row of its caller: what its agent said about it is only in the text of the
 * row, where it is marked.
 */
function shownFailure({
  failure,
  error_detail: detail,
}: Pick<MessageRow, 'failure' | 'error_detail'>): string | undefined {
  const stored = readJson<Failure>(failure);
  if (stored?.isAgentText !== true) return detail ?? undefined;
  return stored.kind === 'rpc_error' ? RPC_ERROR : AGENT_FAILED;
}
