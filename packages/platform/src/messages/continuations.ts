import { randomUUID } from 'node:crypto';
import {
  buildSendMessage,
  isEnded,
  type JsonObject,
  type QuestionAnswer,
  viewMessage,
} from '@molecule-ai/protocol';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import { HttpError } from '../http/http-error.ts';
import { answersCaller, directCaller } from './caller-keys.rules.ts';
import { answerInContext } from './conversation.rules.ts';
import { expiryOf } from './delivery.rules.ts';
import type { EndedMessage, MessageRow, MessageStore } from './message.store.ts';
import { hashMessage } from './message-hash.rules.ts';
import type { MessageQueue } from './message-queue.ts';
import type { MessageExpiry } from './outcome/message-expiry.ts';
import { type MessageEnd, type Outcome, requestIdOf } from './outcome/outcome.rules.ts';
import type { EndDetails, OutcomeDestination } from './outcome/outcome-hooks.ts';
import type { OutcomeRecorder } from './outcome/outcome-recorder.ts';
import { inTraceOf } from './passed-headers.rules.ts';
import { pathOfContinuation } from './path.rules.ts';

/** How often a message may be interrupted, each time by the run that continues it. */
const MAX_ROUNDS = 20;

interface ContinuationsOptions extends Pick<PlatformContext, 'clock' | 'settings'> {
  readonly store: MessageStore;
  readonly queue: MessageQueue;
  readonly outcomes: OutcomeRecorder;
  readonly expiry: MessageExpiry;
  readonly workspaces: WorkspaceDirectory;
}

/** The answers to the questions of one message, as they are delivered to its agent. */
interface AnswersForAgent {
  readonly answers: readonly QuestionAnswer[];
  /** The same as a text, for agents that do not read `metadata.answers`. */
  readonly text: string;
}

/**
 * Messages that their agents interrupt by questions, and the messages with the answers, which continue them: the
 * interrupted message stays open and ends as the one that continues it. That one may be interrupted and continued too.
 */
export class Continuations {
  readonly #options: ContinuationsOptions;

  constructor(options: ContinuationsOptions) {
    this.#options = options;
    options.outcomes.onEnd((unit, message, end) => this.#endContinued(unit, message, end));
  }

  /** Finds a message by its row id. */
  find(unit: UnitOfWork, id: string): Promise<MessageRow | undefined> {
    return this.#options.store.find(id, unit.trx);
  }

  /** The message that an agent received from `callerId` directly; it is recorded when the platform did not know it. */
  async findOrRecordDirect(
    unit: UnitOfWork,
    direct: Parameters<MessageQueue['recordDirect']>[1],
  ): Promise<MessageRow | undefined> {
    const { queue, store } = this.#options;
    const { callerId, targetId, messageId } = direct;
    const sent = await store.findByCaller(callerId, messageId, unit.trx);
    if (sent?.workspace_id === targetId) return sent;
    const known = await store.findByCaller(directCaller(targetId, callerId), messageId, unit.trx);
    return known ?? queue.recordDirect(unit, direct);
  }

  /**
   * Interrupts a message, and all that it continues, and returns where the questions are delivered; undefined when it was
   * changed since it was read. The answer that asks is stored with the message itself only.
   * @throws HttpError 400 `invalid_request` when the message was interrupted too often.
   */
  async interrupt(
    unit: UnitOfWork,
    message: MessageRow,
    answer: JsonObject,
    { reply, isKnownToCaller = false }: Pick<EndDetails, 'reply' | 'isKnownToCaller'> = {},
  ): Promise<OutcomeDestination | undefined> {
    const { clock, expiry, outcomes, settings } = this.#options;
    const continued = await this.#continuedBy(unit, message);
    if (continued.length >= MAX_ROUNDS) throw tooManyRounds();
    const asked = answerInContext(answer, message.context_id);
    const expiresAt = (row: MessageRow) => expiryOf(deadlineOf(row), clock.now(), settings.questionTtlMs);
    const details = { expiresAt: expiresAt(message), isKnownToCaller };
    const destination = await outcomes.requireInput(unit, message, asked, { ...details, reply });
    if (destination === undefined) return undefined;
    // A sender whose own message is interrupted gets the questions with that one.
    let isKnown = isKnownToCaller || message.caller_receipt !== 'none';
    for (const above of continued) {
      await outcomes.requireInput(unit, above, asked, {
        expiresAt: expiresAt(above),
        isKnownToCaller: isKnown,
        isStoredBelow: true,
      });
      unit.afterCommit(() => expiry.schedule(expiresAt(above)));
      isKnown ||= above.caller_receipt !== 'none';
    }
    unit.afterCommit(() => expiry.schedule(details.expiresAt));
    return destination;
  }

  /** Records that `by`, which was stored just before, continues a message; false when that one is not interrupted. */
  async resume(unit: UnitOfWork, message: MessageRow, by: Pick<MessageRow, 'id'>): Promise<boolean> {
    const { expiry, outcomes } = this.#options;
    if (message.delivery_state !== 'input_required') return false;
    const details = { continuedBy: by.id, expiresAt: this.#freshExpiry(message) };
    if (!(await outcomes.resume(unit, message, details))) return false;
    unit.afterCommit(() => expiry.schedule(details.expiresAt));
    for (const above of await this.#continuedBy(unit, message)) {
      const continuedBy = above.continued_by ?? by.id;
      const expiresAt = this.#freshExpiry(above);
      await outcomes.resume(unit, above, { continuedBy, expiresAt, isSilent: true });
      unit.afterCommit(() => expiry.schedule(expiresAt));
    }
    return true;
  }

  /**
   * Continues a message by one that the platform writes, in the name of its sender, so that it belongs to the same
   * conversation and is trusted as much. False when the message is not interrupted.
   */
  async enqueue(unit: UnitOfWork, message: MessageRow, { answers, text }: AnswersForAgent): Promise<boolean> {
    const { queue, workspaces } = this.#options;
    const target = await workspaces.require(message.target_id, unit.trx);
    const messageId = randomUUID();
    const deadline = deadlineOf(message);
    const envelope = buildSendMessage({
      messageId,
      text,
      ...(message.context_id === null ? {} : { contextId: message.context_id }),
      metadata: {
        answers: answers.map((answer) => ({ ...answer })),
        ...(deadline === '' ? {} : { deadline }),
        ...(message.trace_id === null ? {} : { trace_id: message.trace_id }),
      } as JsonObject,
    }) as unknown as JsonObject;
    const row = await queue.enqueue(unit, {
      callerId: message.source_id,
      callerKey: answersCaller(target.id, message.source_id),
      target,
      view: viewMessage(envelope),
      messageId,
      headers: inTraceOf({}, message),
      inReplyTo: '',
      bodyHash: hashMessage(target.id, envelope),
      summary: `answers → ${target.name}`,
      outcomeExpected: false,
      continuesId: message.id,
      path: pathOfContinuation(message),
    });
    if (row === undefined) throw new Error('A new message id was used before.');
    return this.resume(unit, message, row);
  }

  /** Open messages that this one continues, nearest first, without what is long in them. */
  async #continuedBy(unit: UnitOfWork, message: MessageRow): Promise<MessageRow[]> {
    const found: MessageRow[] = [];
    let { continues_id: id } = message;
    while (id !== null && found.length < MAX_ROUNDS) {
      const above = await this.#options.store.findContinued(id, unit.trx);
      if (above === undefined || isEnded(above.delivery_state)) break;
      found.push(above);
      id = above.continues_id;
    }
    return found;
  }

  async #endContinued(unit: UnitOfWork, { continues_id: id }: EndedMessage, end: Outcome): Promise<void> {
    const { outcomes, store } = this.#options;
    while (id !== null) {
      const message = await store.find(id, unit.trx);
      if (message === undefined || isEnded(message.delivery_state)) return;
      // People and the feed read the first message, so the answer is stored there too.
      const details = { isStoredBelow: message.continues_id !== null };
      if ((await outcomes.endMessage(unit, message, endFor(message, end), details)) !== undefined) return;
    }
  }

  #freshExpiry(message: MessageRow): string {
    const { clock, settings } = this.#options;
    return expiryOf(deadlineOf(message), clock.now(), settings.messageTtlMs);
  }
}

function tooManyRounds(): HttpError {
  const text = `a message may be interrupted by questions ${MAX_ROUNDS} times`;
  return new HttpError(400, 'invalid_request', text, {
    extras: {
      field: 'params.message.metadata.questions',
      hint: 'Answer with what is known; the sender may send a new message.',
    },
  });
}

/** The end of a message that ends as another one, under its own JSON-RPC id. */
function endFor(message: MessageRow, end: Outcome): MessageEnd {
  switch (end.state) {
    case 'answered':
      return { state: 'answered', answer: { ...end.answer, id: requestIdOf(message) } };
    case 'failed': {
      const { failure, response } = end;
      return { state: 'failed', failure, ...(response === undefined ? {} : { response }) };
    }
    case 'input_required':
      throw new Error('A question ends no message.');
    default:
      return { state: end.state };
  }
}

function deadlineOf({ request_body: body }: MessageRow): string {
  return body === null ? '' : viewMessage(JSON.parse(body)).deadline;
}
