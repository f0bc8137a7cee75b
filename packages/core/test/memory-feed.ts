import type { Capability, InboundMessage } from '@molecule-ai/protocol';
import type { CancellationPage, FetchCancellationsOptions } from '../src/client/cancellation.ts';
import type { ProgressReceipt, ProgressReport } from '../src/client/client-port.ts';
import type {
  Acknowledgement,
  AcknowledgeOptions,
  FetchInboundOptions,
  InboundPage,
  MessageOutcome,
} from '../src/client/inbound-page.ts';
import type { QuestionsToAsk } from '../src/client/questions.ts';
import type { ReplyContent, ReplyReceipt } from '../src/client/reply.ts';
import { CursorLostError } from '../src/errors/api-error.ts';
import type { InboundOptions } from '../src/inbound/inbound-options.ts';
import type { Clock } from '../src/time/clock.ts';
import { PEER, SELF } from './agent-ids.ts';

interface FeedRow {
  readonly id: string;
  readonly seq: number;
  readonly message: InboundMessage | null;
}

type FeedClient = InboundOptions['client'];

/** An answer sent through this feed. */
export interface SentReply extends ReplyContent {
  readonly id: string;
  readonly key: string;
  readonly isDuplicate: boolean;
}

/** An inbound message of a peer; every field can be set. */
export function inboundMessage(change: Partial<InboundMessage> & { id: string }): InboundMessage {
  return {
    activityId: change.id,
    messageId: `message-of-${change.id}`,
    contextId: '',
    conversationId: '',
    data: undefined,
    answers: [],
    inReplyTo: '',
    method: 'message/send',
    params: {},
    parts: [],
    metadata: {},
    source: 'peer_agent',
    sourceId: PEER,
    peerId: PEER,
    role: 'user',
    expectsAnswer: change.role !== 'agent' && (change.inReplyTo ?? '') === '',
    text: `text of ${change.id}`,
    peerName: '',
    peerRole: '',
    agentCardUrl: '',
    receivedAt: '',
    seq: null,
    raw: {},
    ...change,
  };
}

/** A feed in memory with `seq`, `since_id`, `unacknowledged`, acknowledgements and 410. */
export class MemoryFeed implements FeedClient {
  readonly workspaceId = SELF;
  capabilities: ReadonlySet<Capability> = new Set(['acknowledge', 'questions']);
  readonly rows: FeedRow[] = [];
  readonly queries: FetchInboundOptions[] = [];
  readonly acks: string[] = [];
  /** The outcomes of each acknowledgement that had some. */
  readonly outcomes: (readonly MessageOutcome[])[] = [];
  readonly replies: SentReply[] = [];
  /** Errors of the next calls. */
  readonly fetchFailures: unknown[] = [];
  readonly ackFailures: unknown[] = [];
  readonly replyFailures: unknown[] = [];
  /** Rows that are lost as a cursor. */
  readonly forgotten = new Set<string>();
  /** Message ids of replies that calls have returned. */
  readonly returned = new Set<string>();
  /** Whether the feed holds requests. */
  holds = false;
  /** Rows whose messages were canceled: replies to them are ignored. */
  readonly canceled = new Set<string>();
  acknowledgedSeq = 0;
  #seq = 0;
  #clock: Clock;
  #arrival = Promise.withResolvers<void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Adds a message, or a row that is not a message. */
  push(change: Partial<InboundMessage> & { id: string }, isMessage = true): void {
    this.#seq += 1;
    const seq = this.#seq;
    const message = isMessage ? inboundMessage({ seq, ...change }) : null;
    this.rows.push({ id: change.id, seq, message });
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers<void>();
  }

  /** Adds `count` messages, each in its own conversation. */
  pushMany(count: number): void {
    for (let index = 0; index < count; index += 1) {
      const id = `row-${this.#seq + 1}`;
      this.push({ id, contextId: `context-of-${id}` });
    }
  }

  observeReply({ messageId }: InboundMessage): boolean {
    return this.returned.has(messageId);
  }

  async sentMessages() {
    return () => false;
  }

  async fetchInboundPage(query: FetchInboundOptions): Promise<InboundPage> {
    this.queries.push(query);
    if (this.fetchFailures.length > 0) throw this.fetchFailures.shift();
    const waits = this.holds && query.waitSecs !== undefined;
    let rows = this.#after(query);
    if (waits && rows.length === 0) {
      await this.#hold(this.#arrival.promise, query.waitSecs ?? 0, query.signal);
      rows = this.#after(query);
    }
    const page = rows.slice(0, query.limit ?? 100);
    const messages = page.flatMap((row) => (row.message === null ? [] : [row.message]));
    return {
      messages,
      rows: page.length,
      skipped: page.length - messages.length,
      lastRowId: page.at(-1)?.id ?? null,
      oldestRow: page[0] === undefined ? null : { id: page[0].id, at: page[0].message?.receivedAt ?? '' },
      hasMore: rows.length > page.length,
      waitApplied: waits,
    };
  }

  /** Questions that were stored, in order. */
  readonly asked: QuestionsToAsk[] = [];

  async askQuestions(asked: QuestionsToAsk): Promise<[]> {
    this.asked.push(asked);
    return [];
  }

  /** Reports of progress, in order. */
  readonly reports: ProgressReport[] = [];
  /** Errors of the next reports. */
  readonly reportFailures: unknown[] = [];
  readonly #streamed = new Map<string, { readonly runId: string; readonly text: string }>();
  /** The run that each message counts as reported by; `undefined` for the first that reports. */
  #reportingRun: string | undefined;

  /** As after a restart; `runId` is a run that has reported before. */
  forgetProgress(runId?: string): void {
    this.#streamed.clear();
    this.#reportingRun = runId;
  }

  /** What was reported of the answer to a row. */
  progressOf(id: string): string {
    return this.#streamed.get(id)?.text ?? '';
  }

  async reportProgress(report: ProgressReport): Promise<ProgressReceipt> {
    this.reports.push(report);
    if (this.reportFailures.length > 0) throw this.reportFailures.shift();
    const { activityId, runId, offset, text } = report;
    const known = this.#streamed.get(activityId) ?? { runId: this.#reportingRun ?? runId, text: '' };
    if (known.runId !== runId) return { isTaken: false, nextOffset: null };
    const whole = known.text.slice(0, offset) + text;
    const isContinued =
      offset <= known.text.length && (whole.startsWith(known.text) || known.text.startsWith(whole));
    if (!isContinued) return { isTaken: false, nextOffset: known.text.length };
    const longer = whole.length > known.text.length ? whole : known.text;
    this.#streamed.set(activityId, { runId, text: longer });
    return { isTaken: true, nextOffset: longer.length };
  }

  /** Reads of control rows, in order. */
  readonly controlQueries: FetchCancellationsOptions[] = [];
  /** Errors of the next reads of control rows. */
  readonly controlFailures: unknown[] = [];
  readonly #controlRows: string[] = [];
  #controlArrival = Promise.withResolvers<void>();

  /** Adds a control row: the message of this row was canceled. */
  cancel(id: string): void {
    this.#controlRows.push(id);
    this.#controlArrival.resolve();
    this.#controlArrival = Promise.withResolvers<void>();
  }

  async fetchCancellations(query: FetchCancellationsOptions): Promise<CancellationPage> {
    this.controlQueries.push(query);
    if (this.controlFailures.length > 0) throw this.controlFailures.shift();
    const { sinceSeq = 0, waitSecs = 0, signal } = query;
    if (this.holds && this.#controlRows.length <= sinceSeq) {
      await this.#hold(this.#controlArrival.promise, waitSecs, signal);
    }
    const canceled = this.#controlRows.slice(sinceSeq);
    return {
      canceled: canceled.map((id) => ({ activityId: id, messageId: `message-of-${id}` })),
      lastSeq: Math.max(sinceSeq, this.#controlRows.length),
    };
  }

  async acknowledge(
    id: string | number | null,
    { outcomes = [] }: AcknowledgeOptions = {},
  ): Promise<Acknowledgement> {
    if (this.ackFailures.length > 0) throw this.ackFailures.shift();
    if (outcomes.length > 0) this.outcomes.push(outcomes);
    if (typeof id === 'string') {
      this.acks.push(id);
      this.#checkOutcomes(id);
      this.acknowledgedSeq = Math.max(this.acknowledgedSeq, this.seqOf(id));
    }
    return { isSupported: true, acknowledged: 1, outcomes: [] };
  }

  async reply(
    message: InboundMessage,
    answer: string | ReplyContent,
    options: { readonly idempotencyKey?: string | undefined },
  ): Promise<ReplyReceipt> {
    if (this.replyFailures.length > 0) throw this.replyFailures.shift();
    const key = `${message.messageId}/${options.idempotencyKey ?? 'reply'}`;
    const isDuplicate = this.replies.some((reply) => reply.key === key);
    const content = typeof answer === 'string' ? { text: answer } : answer;
    this.replies.push({ id: message.id, key, ...content, isDuplicate });
    if (this.canceled.has(message.id)) return { status: 'ignored', via: 'a2a', messageId: key };
    return { status: isDuplicate ? 'duplicate' : 'sent', via: 'a2a', messageId: key };
  }

  /** Rows that an acknowledgement covered before anything said how they ended. */
  readonly coveredWithoutOutcome: string[] = [];

  #checkOutcomes(upTo: string): void {
    if (!this.capabilities.has('outcomes')) return;
    const ended = new Set([
      ...this.outcomes.flat().map((each) => each.activityId),
      ...this.replies.map((each) => each.id),
    ]);
    const covered = this.rows.filter((row) => row.seq > this.acknowledgedSeq && row.seq <= this.seqOf(upTo));
    this.coveredWithoutOutcome.push(...covered.filter((row) => !ended.has(row.id)).map((row) => row.id));
  }

  async #hold(arrival: Promise<void>, seconds: number, signal: AbortSignal | undefined): Promise<void> {
    const time = Promise.withResolvers<void>();
    const timer = this.#clock.setTimer(seconds * 1_000, () => time.resolve());
    const onAbort = (): void => time.reject(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    await Promise.race([arrival, time.promise]).finally(() => timer.cancel());
  }

  seqOf(id: string): number {
    return this.rows.find((row) => row.id === id)?.seq ?? 0;
  }

  #after(query: FetchInboundOptions): FeedRow[] {
    const { sinceId } = query;
    if (sinceId === undefined) {
      return this.rows.filter((row) => !query.unacknowledged || row.seq > this.acknowledgedSeq);
    }
    if (this.forgotten.has(sinceId)) {
      throw new CursorLostError('The position is not known.', { cursor: sinceId, ...LOST });
    }
    return this.rows.filter((row) => row.seq > this.seqOf(sinceId));
  }
}

const LOST = { status: 410, method: 'GET', path: '/workspaces/self/activity' } as const;
