import { randomUUID } from 'node:crypto';
import { isJsonObject, type MessageView, viewMessage } from '@molecule-ai/protocol';
import { traceHeaders } from '@molecule-ai/telemetry';
import type { PlatformContext } from '../../context.ts';
import type { UnitOfWork } from '../../database/platform-database.ts';
import type { WorkspaceDirectory } from '../../directory/workspace-directory.ts';
import { isDirect } from '../caller-keys.rules.ts';
import { inContext } from '../conversation.rules.ts';
import { withoutDeadline } from '../delivery.rules.ts';
import type { InboxRoom } from '../inbox-room.ts';
import type { MessageRow, MessageStore } from '../message.store.ts';
import { hashMessage } from '../message-hash.rules.ts';
import type { MessageQueue } from '../message-queue.ts';
import { inTraceOf, type PassedHeaders, traceOf } from '../passed-headers.rules.ts';
import { pathOfAnswer } from '../path.rules.ts';
import type { CallerReceipts } from './caller-receipts.ts';
import {
  messageIdConflict,
  noticeOfAnswer,
  outcomeMessage,
  shownFailure,
  storedOutcome,
} from './outcome.rules.ts';
import type { OutcomeStore } from './outcome.store.ts';

/** UTF-16 units of a message that is never replaced by a notice of it, because that would save nothing. */
const SMALL = 4_096;

/** A message in which the target of a request answers it. */
export interface ReplyMessage {
  readonly view: MessageView;
  readonly messageId: string;
  readonly bodyHash: string;
  /** Of its request. Of these only the trace is passed on, because the message is in the form of the platform. */
  readonly headers?: PassedHeaders;
}

export interface OutcomeDeliveryOptions extends Pick<PlatformContext, 'database' | 'logger'> {
  readonly store: MessageStore;
  readonly outcomeStore: OutcomeStore;
  readonly queue: MessageQueue;
  readonly receipts: CallerReceipts;
  readonly room: InboxRoom;
  readonly workspaces: WorkspaceDirectory;
}

/** Delivers outcomes to callers that do not wait, and those that a held call did not receive. */
export class OutcomeDelivery {
  readonly #options: OutcomeDeliveryOptions;

  constructor(options: OutcomeDeliveryOptions) {
    this.#options = options;
  }

  /** Puts outcomes on feeds that a killed process had sent to held calls without learning whether they arrived. */
  async recover(): Promise<void> {
    for (const message of await this.#options.outcomeStore.listUnreceived())
      await this.#enqueueUnreceived(message);
  }

  /** Confirms whether a waiting client got the outcome, or left just before. It keeps nothing else of the row, whose answer may be long. */
  confirmation({ id, changed_at, caller_receipt: receipt }: MessageRow): (isReceived: boolean) => void {
    const sent = { id, changed_at };
    return (isReceived) => {
      if (receipt !== 'sent') return;
      if (isReceived) {
        this.#options.receipts.add(sent);
        return;
      }
      this.#enqueueUnreceived(sent).catch((error: unknown) => {
        const fields = { messageId: id, reason: String(error) };
        const text = "An outcome could not be put on its caller's feed; it will be after a restart.";
        this.#options.logger.error(fields, text);
      });
    };
  }

  #enqueueUnreceived(sent: Pick<MessageRow, 'id' | 'changed_at'>): Promise<void> {
    return this.#options.database.transaction(async (unit) => {
      const { outcomeStore, store } = this.#options;
      if (!(await outcomeStore.claimUnreceived(sent, unit.trx))) return;
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
    await unit.lock(callerId);
    const caller = await workspaces.find(callerId, unit.trx);
    if (caller === undefined || caller.status === 'removed') return;
    const isLimited = isDirect(request);
    const isFull =
      (isLimited || !isSmall(message.view)) &&
      (await this.#options.room.check(callerId, request.target_id, unit.trx)) !== undefined;
    // Its agent may have invented the message; whoever did send it reads the outcome from the record.
    if (isFull && isLimited) return;
    const given = withoutDeadline(isFull ? noticeOfAnswer(request, message) : message.view);
    const enqueueAs = (messageId: string, view: MessageView) =>
      queue.enqueue(unit, {
        callerId: request.target_id,
        target: caller,
        view: request.context_id === null ? view : inContext(view, request.context_id),
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
    const known = await store.findByCaller(request.target_id, messageId, unit.trx);
    if (message.bodyHash !== undefined) throw messageIdConflict({ message_id: messageId });
    if (known?.answers_id === request.id && known.body_hash === hashMessage(callerId, given.envelope)) return;
    // The agent has sent a message under the id that the platform chose: one that it cannot guess is free.
    const freeId = `${messageId}-${randomUUID()}`;
    if ((await enqueueAs(freeId, withMessageId(given, freeId))) === undefined) {
      throw new Error('A new message id was used before.');
    }
  }
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
