import type { InboundMessage } from '@molecule-ai/protocol';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { MemoryFeed } from '../../test/memory-feed.ts';
import { CursorLostError } from '../errors/api-error.ts';
import { recordingLogger } from '../testing/recording-logger.ts';
import { MemoryInboundStore } from './inbound-store.ts';
import { Ledger, type OpenMessage } from './ledger.ts';

const READ_AHEAD = 6;

type Step =
  | {
      readonly kind: 'arrive';
      readonly twinOf: number;
      readonly isMessage: boolean;
      readonly isNamed: boolean;
    }
  | { readonly kind: 'read'; readonly limit: number }
  | { readonly kind: 'finish' | 'fail' | 'push'; readonly pick: number }
  | { readonly kind: 'acknowledge' | 'crash' | 'forget' }
  | { readonly kind: 'disk'; readonly works: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('arrive'),
      twinOf: fc.nat(40),
      isMessage: fc.boolean(),
      isNamed: fc.boolean(),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('read'), limit: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 7, arbitrary: fc.record({ kind: fc.constant('finish'), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail'), pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('push'), pick: fc.nat(40) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('acknowledge') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('disk'), works: fc.boolean() }) },
) as fc.Arbitrary<Step>;

/** After the position was lost, a row that is not a message is read again, after a pending one. */
const LOST_BEHIND_AN_OLD_ROW: Step[] = [
  { kind: 'arrive', twinOf: 0, isMessage: false, isNamed: true },
  { kind: 'arrive', twinOf: 40, isMessage: true, isNamed: true },
  { kind: 'read', limit: 2 },
  { kind: 'forget' },
  { kind: 'read', limit: 1 },
  { kind: 'read', limit: 1 },
];

/** A store that can fail after storing a part. */
class WatchedStore extends MemoryInboundStore {
  works = true;
  override async append(lines: readonly string[]): Promise<void> {
    await super.append(this.works ? lines : lines.slice(0, 1).map((line) => line.slice(0, -3)));
    if (!this.works) throw new Error('The disk is full.');
  }
  override async replace(lines: readonly string[]): Promise<void> {
    if (!this.works) throw new Error('The disk is full.');
    await super.replace(lines);
  }
}

/** The common fields of two rows of one message. */
function nameOf(message: InboundMessage): string {
  return message.messageId || message.id;
}

/** A model of one feed and one store, with repeated restarts. */
class World {
  readonly feed = new MemoryFeed(new ManualClock());
  readonly store = new WatchedStore();
  /** Messages accepted in this run and not finished. */
  underWay: OpenMessage[] = [];
  /** Finished in any run, by sender's message id. */
  readonly finished = new Set<string>();
  /** Messages whose finish is on disk. */
  readonly stored = new Set<string>();
  #run = 0;
  ledger!: Ledger;

  async start(): Promise<void> {
    this.#run += 1;
    const run = this.#run;
    this.underWay = [];
    this.ledger = new Ledger(
      {
        store: this.store,
        logger: recordingLogger(),
        client: { capabilities: new Set() },
        clock: new ManualClock(),
        observer: { degraded: () => {}, recovered: () => {} },
      },
      () => run === this.#run && this.checkPrefix(),
    );
    await this.ledger.load();
    this.checkPrefix();
  }

  take(message: InboundMessage, seq?: number | null): void {
    const record = this.ledger.read(message, seq);
    if (record === null || record.ended !== undefined) return;
    expect(this.stored, 'a finish was stored, and it is handled again').not.toContain(nameOf(message));
    const ids = this.underWay.map((each) => each.message.id);
    expect(ids, 'handled twice at once').not.toContain(message.id);
    this.underWay.push(record);
  }

  /** Nothing at or before the acknowledged row is unfinished. */
  checkPrefix(): void {
    const acknowledged = this.ledger?.acknowledged ?? null;
    if (acknowledged === null) return;
    for (const row of this.feed.rows.slice(0, this.feed.seqOf(acknowledged))) {
      const isFinished = row.message === null || this.finished.has(nameOf(row.message));
      if (!isFinished) expect.fail(`${row.id} is acknowledged, not finished`);
    }
  }

  async read(limit: number): Promise<boolean> {
    const { readPosition: position } = this.ledger;
    // A reader would wait for capacity; here it reads again later.
    const free = READ_AHEAD - this.ledger.unfinished;
    if (free <= 0) return false;
    try {
      const page = await this.feed.fetchInboundPage({
        ...(position === null ? { unacknowledged: true } : { sinceId: position }),
        limit: Math.min(limit, free),
      });
      for (const message of page.messages) this.take(message, message.seq);
      this.ledger.endPage(page);
      this.checkPrefix();
      return page.rows > 0;
    } catch (error) {
      if (!CursorLostError.isInstance(error)) throw error;
      await this.ledger.forgetPosition();
      return true;
    }
  }

  async finish(pick: number): Promise<void> {
    const [record] = this.underWay.splice(pick % this.underWay.length, 1);
    if (record === undefined) return;
    this.finished.add(nameOf(record.message));
    if (await this.ledger.finish(record, null)) this.stored.add(nameOf(record.message));
  }

  async act(action: Step): Promise<void> {
    if (action.kind === 'arrive') {
      const { rows } = this.feed;
      const id = `row-${rows.length + 1}`;
      const twin = rows[action.twinOf]?.message;
      this.feed.push(
        {
          id,
          ...(twin == null ? {} : { messageId: twin.messageId }),
          ...(action.isNamed ? {} : { messageId: '' }),
        },
        action.isMessage,
      );
    }
    if (action.kind === 'push') {
      const message = this.feed.rows[action.pick]?.message;
      if (message != null) this.take(message);
    }
    if (action.kind === 'read') await this.read(action.limit);
    if (action.kind === 'finish' && this.underWay.length > 0) await this.finish(action.pick);
    if (action.kind === 'fail' && this.underWay.length > 0) {
      const record = this.underWay[action.pick % this.underWay.length];
      if (record !== undefined) await this.ledger.change(record, { attempts: record.progress.attempts + 1 });
    }
    if (action.kind === 'acknowledge' && this.ledger.acknowledged !== null) {
      await this.feed.acknowledge(this.ledger.acknowledged);
    }
    if (action.kind === 'crash') await this.start();
    if (action.kind === 'forget' && this.ledger.readPosition !== null)
      this.feed.forgotten.add(this.ledger.readPosition);
    if (action.kind === 'disk') this.store.works = action.works;
  }
}

it('no unfinished message is acknowledged, none is lost, and no stored finished message is handled again', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      const world = new World();
      await world.start();
      for (const action of steps) await world.act(action);
      // Finally everything is read and finished.
      world.feed.forgotten.clear();
      for (let round = 0; round < 400; round += 1) {
        const hasRead = await world.read(100);
        if (world.underWay.length > 0) await world.finish(round);
        else if (!hasRead) break;
      }
      for (const { message } of world.feed.rows) {
        if (message !== null) expect(world.finished, 'lost').toContain(nameOf(message));
      }
      expect(world.ledger.unfinished).toBe(0);
      // Nothing remains unacknowledged on the platform.
      const { feed, ledger } = world;
      const acknowledgedSeq = ledger.acknowledged === null ? 0 : feed.seqOf(ledger.acknowledged);
      expect(Math.max(acknowledgedSeq, feed.acknowledgedSeq)).toBe(feed.rows.length);
    }),
    { numRuns: 300, seed: 1, examples: [[LOST_BEHIND_AN_OLD_ROW]] },
  );
});
