import { isEnded, type JsonValue, type MessageView } from '@molecule-ai/protocol';
import type { PlatformContext } from '../../context.ts';
import type { UnitOfWork } from '../../database/platform-database.ts';
import type { HttpError } from '../../http/http-error.ts';
import type { MessageRow } from '../message.store.ts';
import {
  type Edge,
  loopRefusal,
  type MessagePath,
  NEW_PATH,
  type PathRow,
  pairLimited,
  pathOfAnswer,
  pathOfContinuation,
  pathOfMessage,
  tooManyTurns,
  turnsRefusal,
} from '../path.rules.ts';
import { PairRate } from './pair-rate.ts';
import { PathStore } from './path.store.ts';

/** A message that is checked. */
interface CheckedMessage {
  /** The calling workspace; null for people and operators, whose messages start a path and are never refused. */
  readonly callerId: string | null;
  readonly targetId: string;
  readonly view: MessageView;
  /** The message that it replies to, if it does. */
  readonly question: MessageRow | undefined;
  /** The message whose questions it answers, if it does. */
  readonly continues?: MessageRow | undefined;
}

interface LoopCheck {
  readonly path: MessagePath;
  /** Why the message is not accepted, unless it is a repeat. */
  readonly refusal: HttpError | undefined;
  /** Call it when the message was stored. */
  readonly stored: (unit: UnitOfWork) => void;
}

type LoopGuardOptions = Pick<PlatformContext, 'clock' | 'database' | 'logger' | 'settings'>;

/** Ends loops of agents that call each other: by what led to a message or, where that is unknown, by the rate of two. */
export class LoopGuard {
  readonly #options: LoopGuardOptions;
  readonly #pairs: PairRate;
  readonly #paths: PathStore;

  constructor(options: LoopGuardOptions) {
    this.#options = options;
    this.#pairs = new PairRate(options);
    this.#paths = new PathStore(options);
  }

  async check(unit: UnitOfWork, message: CheckedMessage): Promise<LoopCheck> {
    const { callerId, targetId, view, question, continues } = message;
    if (question !== undefined) return this.checkReply(question);
    if (callerId === null) return { path: NEW_PATH, refusal: undefined, stored: () => {} };
    const { settings } = this.#options;
    const own: Edge = [callerId, targetId];
    const parent = await this.#findParent(callerId, view, unit);
    const sent = pathOfMessage(own, parent, view.metadata);
    const path = continues === undefined ? sent : pathOfContinuation(continues, sent);
    const refusal = loopRefusal(own, path, settings) ?? (await this.#lateRefusal(path, unit));
    // A message whose handling is over leads to nothing any more: its name must not switch the limit off.
    const isHandled = parent !== undefined && !isEnded(parent.delivery_state);
    const isCounted = !isHandled;
    const waitMs = isCounted && refusal === undefined ? this.#pairs.waitMs(callerId, targetId) : 0;
    return {
      path,
      refusal: waitMs > 0 ? pairLimited(this.#pairs.limit, waitMs) : refusal,
      stored: ({ onRollback }) => {
        if (isCounted) onRollback(this.#pairs.count(callerId, targetId));
      },
    };
  }

  /** By its row id, which nobody but the platform chooses; a message id is a name that several senders may give. */
  async #findParent(
    callerId: string,
    { metadata }: MessageView,
    { trx }: UnitOfWork,
  ): Promise<PathRow | undefined> {
    const { parent_activity_id: id, parent_message_id: messageId } = metadata;
    const found = isNamed(id) ? await this.#paths.findOnFeed(callerId, id, trx) : undefined;
    return found ?? (isNamed(messageId) ? this.#paths.findDelivered(callerId, messageId, trx) : undefined);
  }

  /** A path branches where one message is both answered late and followed by others, so its branches are counted together. */
  async #lateRefusal({ turns, origin }: MessagePath, unit: UnitOfWork): Promise<HttpError | undefined> {
    if (turns === 0 || origin === null) return undefined;
    const { settings } = this.#options;
    const count = await this.#paths.countLate(origin, settings.maxTurns, unit.trx);
    return count >= settings.maxTurns ? tooManyTurns(settings.maxTurns) : undefined;
  }

  /** A reply is refused only where agents answer answers without end. */
  checkReply(question: MessageRow): LoopCheck {
    const path = pathOfAnswer(question);
    const refusal = question.answers_id === null ? undefined : turnsRefusal(path, this.#options.settings);
    return { path, refusal, stored: () => {} };
  }

  /** Logs a refusal; for two that send too fast once in their minute. */
  report({ callerId, targetId }: Pick<CheckedMessage, 'callerId' | 'targetId'>, refusal: HttpError): void {
    const { code, message: reason } = refusal;
    if (code === 'rate_limited' && !this.#pairs.isFirstReport(callerId ?? '', targetId)) return;
    this.#options.logger.warn(
      { callerId, targetId, code, reason },
      'A message was refused: agents seem to call each other without end.',
    );
  }
}

function isNamed(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '';
}
