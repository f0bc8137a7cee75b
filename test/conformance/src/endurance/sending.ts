import { setTimeout as sleep } from 'node:timers/promises';
import type { CallPeerOptions, PeerReply } from '@molecule-ai/core';
import type { LogEntry } from '@molecule-tests/harness';
import { type Lane, orderText, type PlannedMessage, questionOf } from './plan.ts';

const PAUSE_MS = 200;
const HELD_MS = 10_000;
/** The shortest that a client lets the platform hold a call for: one second. */
const SHORTLY_HELD_MS = 1_250;
const DEADLINE_MS = 2_000;
const CANCEL_AFTER_MS = 150;
const ASK_MS = 60_000;

/** The part of a client, of an agent or of an operator, that sends. */
export interface SendingClient {
  call(targetId: string, text: string, options: CallPeerOptions): Promise<PeerReply>;
  /** Does not wait for the answer. */
  send(targetId: string, text: string, options: CallPeerOptions): Promise<PeerReply>;
  waitForAnswer(targetId: string, messageId: string, timeoutMs: number): Promise<PeerReply>;
  /** Rejects while the platform does not have the message. */
  cancel(targetId: string, messageId: string): Promise<void>;
}

export interface SendingOptions {
  readonly client: SendingClient;
  readonly lanes: readonly Lane[];
  readonly targetIds: Readonly<Record<string, string>>;
  /** What earlier processes of this sender noted. */
  readonly earlier: readonly LogEntry[];
  readonly note: (event: string, facts: object) => void;
  readonly signal: AbortSignal;
}

/** How a sender learned an end: from the call, by asking, from its feed, or from its list. */
export type LearnedBy = 'held' | 'asked' | 'feed' | 'list';

/**
 * Sends the messages of the plan and notes each end that it learns. It goes on where an earlier process of it was
 * killed: what is not noted is sent again under the same id.
 */
export class Sending {
  readonly #options: SendingOptions;
  readonly #learned = new Set<string>();
  readonly #accepted = new Set<string>();
  readonly #deadlines = new Map<string, string>();
  readonly #asking: Promise<void>[] = [];

  constructor(options: SendingOptions) {
    this.#options = options;
    if (options.earlier.length > 0) options.note('continued', {});
    for (const { event, id, deadline } of options.earlier) {
      if (event === 'learned') this.#learned.add(String(id));
      if (event === 'accepted') this.#accepted.add(String(id));
      if (event === 'deadline') this.#deadlines.set(String(id), String(deadline));
    }
  }

  /** Resolves when each message was accepted and each end that it asks for is noted. */
  async run(): Promise<void> {
    await Promise.all(this.#options.lanes.map((lane) => this.#runLane(lane)));
    await Promise.all(this.#asking);
  }

  /** Notes how a message ended, the first time that this way reports it. */
  noteEnd(by: LearnedBy, id: string, status: string, details: object = {}): void {
    this.#learned.add(id);
    this.#options.note('learned', { id, by, status, ...details });
  }

  /** Gives the words that an agent asks for. An approval is not the sender's to give. */
  async answerQuestion(id: string): Promise<void> {
    const { client, lanes, signal, targetIds } = this.#options;
    const message = lanes.flatMap(({ messages }) => messages).find((each) => each.id === id);
    const question = message === undefined ? undefined : questionOf(message);
    if (message === undefined || question?.from !== 'sender') return;
    await this.#untilDone(() =>
      client.send(targetIds[message.target] ?? '', 'In these words.', {
        messageId: `words-for-${id}`,
        answers: [{ questionId: question.id }],
        signal,
      }),
    );
  }

  async #runLane({ contextId, messages }: Lane): Promise<void> {
    for (const message of messages) {
      if (this.#options.signal.aborted) return;
      if (this.#learned.has(message.id)) continue;
      if (!this.#accepted.has(message.id)) await this.#send(message, contextId);
      // Also after a restart, when the end of a message that nobody waits for may be missed.
      const isMissed = message.ask !== 'never' || this.#options.earlier.length > 0;
      if (isMissed && !this.#learned.has(message.id)) this.#asking.push(this.#ask(message));
    }
  }

  async #send(message: PlannedMessage, contextId: string | null): Promise<void> {
    const { client, note, signal, targetIds } = this.#options;
    const { id, act, ask, target } = message;
    const deadline = act === 'expire' ? this.#deadlineOf(id) : undefined;
    const cancelling = act === 'cancel' ? this.#cancel(message) : undefined;
    const options = {
      messageId: id,
      contextId: contextId ?? undefined,
      metadata: deadline === undefined ? undefined : { deadline },
      timeoutMs: ask === 'later' ? SHORTLY_HELD_MS : HELD_MS,
      signal,
    };
    const how = ask === 'never' ? 'send' : 'call';
    const reply = await this.#untilDone(() =>
      client[how](targetIds[target] ?? '', orderText(message), options),
    );
    await cancelling;
    if (reply === undefined) return;
    note('accepted', { id });
    if (reply.status === 'input-required') await this.answerQuestion(id);
    else if (reply.status !== 'queued') this.#noteReply('held', reply);
  }

  async #ask({ id, target }: PlannedMessage): Promise<void> {
    const { client, signal, targetIds } = this.#options;
    for (;;) {
      const reply = await this.#untilDone(() => client.waitForAnswer(targetIds[target] ?? '', id, ASK_MS));
      if (reply === undefined) return;
      if (reply.status === 'input-required') {
        await this.answerQuestion(id);
        await sleep(PAUSE_MS, undefined, { signal }).catch(() => {});
      } else if (reply.status !== 'queued') return this.#noteReply('asked', reply);
    }
  }

  async #cancel({ id, target }: PlannedMessage): Promise<void> {
    const { client, note, signal, targetIds } = this.#options;
    await sleep(CANCEL_AFTER_MS, undefined, { signal }).catch(() => {});
    await this.#untilDone(() => client.cancel(targetIds[target] ?? '', id));
    note('canceled', { id });
  }

  #noteReply(by: LearnedBy, { messageId, status, code, text }: PeerReply): void {
    this.noteEnd(by, messageId, status, { code, text });
  }

  /** Kept, because a repeat must be the same message. */
  #deadlineOf(id: string): string {
    const deadline = this.#deadlines.get(id) ?? new Date(Date.now() + DEADLINE_MS).toISOString();
    if (!this.#deadlines.has(id)) this.#options.note('deadline', { id, deadline });
    this.#deadlines.set(id, deadline);
    return deadline;
  }

  /** Repeats a call while the platform is down; undefined once the sender is asked to stop. */
  async #untilDone<T>(call: () => Promise<T>): Promise<T | undefined> {
    const { note, signal } = this.#options;
    while (!signal.aborted) {
      try {
        return await call();
      } catch (error) {
        if (signal.aborted) break;
        note('call-failed', { code: (error as { code?: unknown }).code, reason: String(error) });
        await sleep(PAUSE_MS, undefined, { signal }).catch(() => {});
      }
    }
    return undefined;
  }
}
