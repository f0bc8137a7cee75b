import { describe, expect, it } from 'vitest';
import { PEER, SELF } from '../../test/agent-ids.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { inboundMessage } from '../../test/memory-feed.ts';
import type { MessageEnd } from '../inbound-http/inbound-agent.ts';
import { recordingLogger } from '../testing/recording-logger.ts';
import { readArrival } from './arrival-message.ts';
import { LedgerLog, listDeadLetters, loadLines, MemoryInboundStore } from './inbound-store.ts';
import { Ledger, type OpenMessage } from './ledger.ts';
import type { Arrival, LedgerLine, StoredDeadLetter } from './ledger-lines.ts';
import { NO_PROGRESS } from './life.ts';

const letterOf = (activityId: string, attempts = 5): StoredDeadLetter => ({
  activityId,
  messageId: 'm',
  sourceId: 's',
  stage: 'handler',
  attempts,
  errorCode: 'handler_failed',
  at: '2026-01-01T00:00:00.000Z',
  message: inboundMessage({ id: activityId }),
  progress: NO_PROGRESS,
});
const end: MessageEnd = {
  state: 'answered',
  at: '2026-01-01T00:00:00.000Z',
  answer: { messageId: 'a', text: 'yes' },
  error: null,
};

const silent = { degraded: () => {}, recovered: () => {} };

async function ledgerOn(
  store: MemoryInboundStore,
): Promise<{ ledger: Ledger; resumed: readonly OpenMessage[] }> {
  const client = { capabilities: new Set(['outcomes'] as const) };
  const clock = new ManualClock();
  const options = { store, logger: recordingLogger(), client, clock, observer: silent };
  const ledger = new Ledger(options, () => {});
  return { ledger, resumed: await ledger.load() };
}

function pushed(text: string, messageId = 'm', answers: Arrival['message']['answers'] = []): Arrival {
  const envelope = {
    jsonrpc: '2.0',
    id: 1,
    method: 'delegate_task',
    params: {
      metadata: { peer_name: 'Ann', conversation_id: 'c'.repeat(32), activity_id: `row-of-${messageId}` },
      message: { messageId, contextId: 'c', role: 'user', parts: [{ kind: 'text', text }] },
    },
  };
  const read = readArrival({ use: 'push', subject: PEER }, envelope, {
    workspaceId: SELF,
    hasCheckedAnswers: true,
    receivedAt: '2026-01-01T00:00:00.000Z',
    trace: { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`, tracestate: 'a=1' },
  });
  if (read.kind === 'refused') throw new Error(read.refusal.message);
  return { ...read.arrival, message: { ...read.arrival.message, answers } };
}

function open(ledger: Ledger, id: string): OpenMessage {
  const record = ledger.read(inboundMessage({ id }), null);
  if (record === null || record.ended !== undefined) throw new Error(`${id} is not new.`);
  return record;
}

describe('the log', () => {
  it('is read back as it was, also after it was reduced to the current state', async () => {
    const store = new MemoryInboundStore();
    const { ledger } = await ledgerOn(store);
    const [a, b, c] = [open(ledger, 'a'), open(ledger, 'b'), open(ledger, 'c')];
    await ledger.change(b, { attempts: 1 });
    await ledger.change(b, { effects: { one: [1, { b: null }] } });
    await ledger.change(b, { effects: { two: 'x' }, repliesSent: 1, answer: { text: 'text' } });
    await ledger.finish(a, { outcome: 'unanswered' });
    await ledger.finish(c, { outcome: 'failed', error: { message: 'No.' } });
    await ledger.addDeadLetter(letterOf('a'));
    await ledger.addDeadLetter(letterOf('x'));
    await ledger.removeDeadLetter('x');
    ledger.outcomesReported([...ledger.outcomes.values()].slice(0, 1));
    const [waiting, ended] = [ledger.add(pushed('one', 'm-1')), ledger.add(pushed('two', 'm-2'))];
    await ledger.change(waiting, { attempts: 2 });
    await ledger.keepEnd(ended, end);
    await ledger.finish(ended, null, true);
    for (const compacted of [false, true]) {
      if (compacted) await (await ledgerOn(store)).ledger.compact();
      const { ledger: again, resumed } = await ledgerOn(store);
      expect([again.acknowledged, again.readPosition, again.unfinished]).toEqual(['a', 'a', 1]);
      expect(resumed).toMatchObject([{ message: waiting.message, via: 'push', progress: { attempts: 2 } }]);
      expect([...again.deadLetters.values()]).toEqual([letterOf('a')]);
      expect([...again.outcomes.values()]).toEqual([
        { activityId: 'c', outcome: 'failed', error: { message: 'No.' } },
      ]);
      expect(again.known(ended.message)).toMatchObject({ kind: 'ended', ended: { end } });
      expect(again.sentBy({ use: 'push', subject: PEER }, 'row-of-m-1')).toMatchObject({ kind: 'open' });
      expect(open(again, 'b').progress).toEqual({
        attempts: 1,
        repliesSent: 1,
        answer: { text: 'text' },
        effects: { one: [1, { b: null }], two: 'x' },
      });
      // What is finished ahead of an unfinished row is not new when the feed is read again.
      expect([again.read(inboundMessage({ id: 'c' }), null), again.acknowledged]).toEqual([null, 'a']);
    }
  });

  it('has the progress of a message that an earlier run read from the feed, and that is pushed now', async () => {
    const store = new MemoryInboundStore();
    const { ledger } = await ledgerOn(store);
    await ledger.change(open(ledger, 'row-of-m'), { attempts: 1, effects: { paid: true } });
    const record = (await ledgerOn(store)).ledger.add(pushed('one'));
    expect(record.progress).toMatchObject({ attempts: 1, effects: { paid: true } });
  });

  it('has invalid lines, which are ignored and counted', async () => {
    const store = new MemoryInboundStore();
    const line = JSON.stringify({ acknowledged: 'row-3', ahead: [] });
    await store.append([line, '{"row":', '{"of a later version":1}', line]);
    const logger = recordingLogger();
    expect(await loadLines(store, logger)).toHaveLength(2);
    expect(logger.lines).toMatchObject([{ level: 'warn', fields: { lines: 2 } }]);
  });

  it('has the text of a message that a request brought once, and all of the message', async () => {
    const text = 'ü'.repeat(100_000);
    const asked = { id: 'q', kind: 'text', text: '', data: null } as const;
    const answers = [{ ...asked, decision: null, answer: 'yes', by: 'user' }] as const;
    const store = new MemoryInboundStore();
    const { ledger } = await ledgerOn(store);
    const record = ledger.add(pushed(text, 'm', answers));
    expect(await ledger.stored(record)).toBe(true);
    expect((await store.load()).join().length).toBeLessThan(text.length + 2_000);
    expect((await ledgerOn(store)).resumed).toMatchObject([{ message: record.message, digest: '' }]);
  });

  it('has the latest thousand dead letters', async () => {
    const store = new MemoryInboundStore();
    const { ledger } = await ledgerOn(store);
    for (let n = 0; n < 1_002; n += 1) void ledger.addDeadLetter(letterOf(`row-${n}`, n));
    await ledger.compact();
    const kept = await listDeadLetters(store);
    expect([kept.length, kept[0]?.attempts]).toEqual([1_000, 2]);
  });
});

describe('LedgerLog', () => {
  const snapshot: LedgerLine[] = [];
  const logOn = (store: MemoryInboundStore, events: string[] = []) => {
    const observer = {
      degraded: () => void events.push('degraded'),
      recovered: () => void events.push('recovered'),
    };
    return new LedgerLog({ store, observer }, () => snapshot);
  };
  const writerOf = (log: LedgerLog) => (line: LedgerLine) => {
    log.add(line);
    return log.flush();
  };
  const lineOf = (attempts: number): LedgerLine => ({ letter: letterOf(`row-${attempts}`, attempts) });

  it('is replaced when it has grown, and after a failed append', async () => {
    let works = true;
    const replaced: number[] = [];
    class FickleStore extends MemoryInboundStore {
      override async append(lines: readonly string[]): Promise<void> {
        if (!works) throw new Error('No.');
        await super.append(lines);
      }
      override async replace(lines: readonly string[]): Promise<void> {
        if (!works) throw new Error('No.');
        replaced.push((await this.load()).length);
        await super.replace(lines);
      }
    }
    const store = new FickleStore();
    const events: string[] = [];
    const write = writerOf(logOn(store, events));
    for (let n = 0; n < 3_000; n += 1) await write(lineOf(n));
    expect(replaced.length).toBeGreaterThan(1);
    works = false;
    expect(await write(lineOf(1))).toBe(false);
    expect(await write(lineOf(2))).toBe(false);
    works = true;
    snapshot.push(lineOf(1), lineOf(2));
    expect(await write(lineOf(2))).toBe(true);
    expect(events).toEqual(['degraded', 'recovered']);
    expect((await listDeadLetters(store)).map((each) => each.attempts)).toEqual([1, 2]);
    snapshot.length = 0;
  });

  it('of large lines is replaced when 64 MiB are appended, however large the state is', async () => {
    const large: LedgerLine = { row: 'row-1', progress: { answer: { text: 'x'.repeat(16 * 1024 * 1024) } } };
    const replaced: number[] = [];
    const store = new MemoryInboundStore();
    const replace = store.replace.bind(store);
    store.replace = async (lines) => {
      replaced.push((await store.load()).length);
      await replace(lines);
    };
    snapshot.push(large, large);
    const write = writerOf(logOn(store));
    for (let count = 0; count < 6; count += 1) await write(large);
    expect(replaced).toEqual([0, 6]);
    snapshot.length = 0;
  });
});
