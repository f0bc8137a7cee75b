import { isEnded, type JsonValue, type MessageView } from '@molecule-ai/protocol';
import type { PlatformContext } from '../../context.ts';
import type { UnitOfWork } from '../../database/platform-database.ts';
import type { MessageRow } from '../../database/schema.ts';
import type { HttpError } from '../../http/http-error.ts';
import { LatestMap } from '../../latest-map.ts';
import type { MessageStore } from '../message.store.ts';
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
} from '../path.ts';

const WINDOW_MS = 60_000;
/** Pairs that are counted at a time; the one that was quiet for longest is forgotten first. */
const MAX_PAIRS = 10_000;

interface PairCount {
  readonly startedAt: number;
  /** Messages by sender. */
  readonly sent: Map<string, number>;
  isReported: boolean;
}

/**
 * Counts the messages of two workspaces to each other, within a minute that starts with the first. What limits a pair is
 * the smaller of its two counts, so that traffic in one direction is never limited. In memory: each process of the
 * platform counts alone.
 */
export class PairRate {
  readonly limit: number;
  readonly #clock: PlatformContext['clock'];
  readonly #pairs = new LatestMap<string, PairCount>(MAX_PAIRS);

  constructor({ clock, settings }: Pick<PlatformContext, 'clock' | 'settings'>) {
    this.#clock = clock;
    this.limit = settings.limits.pairRate;
  }

  /** Milliseconds until this sender may write to this target; 0 when it may now. */
  waitMs(sender: string, target: string): number {
    const pair = this.#current(sender, target);
    if (pair === undefined) return 0;
    const there = (pair.sent.get(sender) ?? 0) + 1;
    const back = pair.sent.get(target) ?? 0;
    if (Math.min(there, back) <= this.limit) return 0;
    return pair.startedAt + WINDOW_MS - this.#clock.monotonic();
  }

  /** Counts a message; returns a function that takes it back. */
  count(sender: string, target: string): () => void {
    if (this.limit === 0 || sender === target) return () => {};
    let pair = this.#current(sender, target);
    if (pair === undefined) {
      pair = { startedAt: this.#clock.monotonic(), sent: new Map(), isReported: false };
      this.#pairs.set(keyOf(sender, target), pair);
    }
    const { sent } = pair;
    sent.set(sender, (sent.get(sender) ?? 0) + 1);
    return () => void sent.set(sender, (sent.get(sender) ?? 1) - 1);
  }

  /** Whether this is the first time that it is asked for a pair in its minute. */
  isFirstReport(sender: string, target: string): boolean {
    const pair = this.#current(sender, target);
    if (pair === undefined || pair.isReported) return false;
    pair.isReported = true;
    return true;
  }

  #current(sender: string, target: string): PairCount | undefined {
    if (this.limit === 0 || sender === target) return undefined;
    const key = keyOf(sender, target);
    const pair = this.#pairs.get(key);
    if (pair === undefined || this.#clock.monotonic() - pair.startedAt < WINDOW_MS) return pair;
    this.#pairs.delete(key);
    return undefined;
  }
}

function keyOf(one: string, other: string): string {
  return one < other ? `${one} ${other}` : `${other} ${one}`;
}

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
  /** Whether the message counts for the rate of the two: then call `count` when it was stored. */
  readonly isCounted: boolean;
}

interface LoopGuardOptions extends Pick<PlatformContext, 'clock' | 'logger' | 'settings'> {
  readonly store: MessageStore;
}

/** Ends loops of agents that call each other: by what led to a message or, where that is unknown, by the rate of two. */
export class LoopGuard {
  readonly #options: LoopGuardOptions;
  readonly #pairs: PairRate;
  readonly #store: MessageStore;

  constructor(options: LoopGuardOptions) {
    this.#options = options;
    this.#pairs = new PairRate(options);
    this.#store = options.store;
  }

  async check(unit: UnitOfWork, message: CheckedMessage): Promise<LoopCheck> {
    const { callerId, targetId, view, question, continues } = message;
    if (question !== undefined) return this.checkReply(question);
    if (callerId === null) return { path: NEW_PATH, refusal: undefined, isCounted: false };
    const { settings } = this.#options;
    const own: Edge = [callerId, targetId];
    const parent = await this.#findParent(callerId, view, unit);
    const sent = pathOfMessage(own, parent, view.metadata);
    const path = continues === undefined ? sent : pathOfContinuation(continues, sent);
    const refusal = loopRefusal(own, path, settings.limits) ?? (await this.#lateRefusal(path, unit));
    // A message whose handling is over leads to nothing any more: its name must not switch the limit off.
    const isCounted = parent === undefined || isEnded(parent.delivery_state);
    const waitMs = isCounted && refusal === undefined ? this.#pairs.waitMs(callerId, targetId) : 0;
    return {
      path,
      refusal: waitMs > 0 ? pairLimited(this.#pairs.limit, waitMs) : refusal,
      isCounted,
    };
  }

  /** Counts a message that was stored. */
  count(unit: UnitOfWork, { callerId, targetId }: Pick<CheckedMessage, 'callerId' | 'targetId'>): void {
    if (callerId !== null) unit.onRollback(this.#pairs.count(callerId, targetId));
  }

  /** By its row id, which nobody but the platform chooses; a message id is a name that several senders may give. */
  async #findParent(
    callerId: string,
    { metadata }: MessageView,
    { trx }: UnitOfWork,
  ): Promise<PathRow | undefined> {
    const { parent_activity_id: id, parent_message_id: messageId } = metadata;
    const found = isNamed(id)
      ? await this.#store.findOnFeed({ targetId: callerId, id: id.toLowerCase() }, trx)
      : undefined;
    return (
      found ??
      (isNamed(messageId) ? this.#store.findDelivered({ targetId: callerId, messageId }, trx) : undefined)
    );
  }

  /** A path branches where one message is both answered late and followed by others, so its branches are counted together. */
  async #lateRefusal({ turns, origin }: MessagePath, unit: UnitOfWork): Promise<HttpError | undefined> {
    if (turns === 0 || origin === null) return undefined;
    const { maxTurns } = this.#options.settings.limits;
    const count = await this.#store.countLate(origin, maxTurns, unit.trx);
    return count >= maxTurns ? tooManyTurns(maxTurns) : undefined;
  }

  /** A reply is refused only where agents answer answers without end. */
  checkReply(question: MessageRow): LoopCheck {
    const path = pathOfAnswer(question);
    const refusal =
      question.answers_id === null ? undefined : turnsRefusal(path, this.#options.settings.limits);
    return { path, refusal, isCounted: false };
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
