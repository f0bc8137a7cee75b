import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CrashSwitch, type InboundRun, startInbound, until } from '../../test/inbound-stage.ts';
import type { MemoryFeed } from '../../test/memory-feed.ts';
import type { AttemptHandler } from './handling/attempt.ts';
import { FileInboundStore } from './stores/inbound-store.ts';

let folder: string;
const runs: InboundRun[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'molecule-crash-'));
});
afterEach(async () => {
  for (const run of runs.splice(0)) {
    await run.inbound.suspend();
    run.kill();
  }
  await rm(folder, { recursive: true, force: true });
});

/** Simulates a process: new stores on the same folder. */
async function start(
  options: {
    readonly feed?: MemoryFeed;
    readonly handler?: AttemptHandler;
    readonly prepare?: (world: { readonly feed: MemoryFeed; readonly crash: CrashSwitch }) => void;
  } = {},
): Promise<InboundRun> {
  const run = await startInbound({
    store: new FileInboundStore(folder),
    handler: async () => 'answer',
    ...options,
  });
  runs.push(run);
  return run;
}

/** Runs until the simulated process crashes. */
async function dies(
  when: 'before' | 'after',
  operation: Parameters<CrashSwitch['arm']>[1],
): Promise<InboundRun> {
  const run = await start({
    prepare: ({ feed, crash }) => {
      feed.push({ id: 'row-1' });
      crash.arm(when, operation);
    },
  });
  await until(() => run.crash.hasCrashed);
  run.kill();
  return run;
}

function log(): Promise<string> {
  return readFile(new FileInboundStore(folder).path, 'utf8');
}

async function comesBack(first: InboundRun): Promise<InboundRun> {
  const run = await start({ feed: first.feed });
  await until(() => run.feed.acks.includes('row-1'));
  await run.inbound.flush(new AbortController().signal);
  expect(await log(), 'the text of a finished message').not.toContain('answer');
  return run;
}

describe('a process killed', () => {
  it.each(['before', 'after'] as const)(
    '%s text of its answer was reported: the next run sends the whole, effects run once',
    async (when) => {
      const effects: string[] = [];
      const handler: AttemptHandler = async (_message, { stream, once, attempt }) => {
        await once('effect', () => void effects.push('effect'));
        await stream(`run ${attempt}`);
        return attempt === 1 ? new Promise(() => {}) : ' ends';
      };
      const capabilities = new Set(['acknowledge', 'stream'] as const);
      const first = await start({
        handler,
        prepare: ({ feed, crash }) => {
          feed.capabilities = capabilities;
          feed.push({ id: 'row-1', method: 'message/stream' });
          crash.arm(when, 'report');
        },
      });
      await until(() => first.crash.hasCrashed);
      first.kill();
      expect(await log()).toContain('"hasStreamed":true');
      const second = await start({ feed: first.feed, handler });
      await until(() => second.feed.acks.includes('row-1'));
      expect([effects, second.feed.replies.map(({ text }) => text)]).toEqual([['effect'], ['run 2 ends']]);
      expect(second.feed.reports.map(({ text }) => text)).toEqual(when === 'before' ? [] : ['run 1']);
    },
  );

  it('between the end of the handler and its answer: the handler does not run again, one answer is sent', async () => {
    const first = await dies('before', 'reply');
    expect(first.handled).toEqual(['row-1']);
    expect(await log()).toContain('"reply":{"text":"answer"}');
    const second = await comesBack(first);
    expect(second.handled).toEqual([]);
    expect(second.feed.replies).toMatchObject([{ text: 'answer', isDuplicate: false }]);
  });

  it('between the answer and the acknowledgement: no second answer', async () => {
    const first = await dies('after', 'reply');
    const second = await comesBack(first);
    expect(second.handled).toEqual([]);
    expect(new Set(second.feed.replies.map((reply) => reply.key)).size).toBe(1);
    expect(second.feed.replies.filter((reply) => !reply.isDuplicate)).toHaveLength(1);
  });

  it('before the acknowledgement: the next run only acknowledges', async () => {
    const first = await dies('before', 'acknowledge');
    const second = await comesBack(first);
    expect(second.handled).toEqual([]);
    expect(second.feed.replies).toHaveLength(1);
  });

  it('after the acknowledgement: the next run does nothing', async () => {
    const first = await dies('after', 'acknowledge');
    const second = await comesBack(first);
    expect(second.handled).toEqual([]);
    expect(second.feed.replies).toHaveLength(1);
  });

  it('before the finish is stored: the answer is sent again with the same id, the handler does not run again', async () => {
    const first = await dies('before', 'store finish');
    const second = await comesBack(first);
    expect(second.handled).toEqual([]);
    expect(second.feed.replies.map((reply) => reply.isDuplicate)).toEqual([false, true]);
  });

  it('before the outcome is stored: the handler runs again', async () => {
    const first = await dies('before', 'store outcome');
    const second = await comesBack(first);
    expect(second.handled).toEqual(['row-1']);
    expect(second.feed.replies).toHaveLength(1);
  });

  it('in the handler: the message is delivered again, as attempt two', async () => {
    const first = await startInbound({
      store: new FileInboundStore(folder),
      handler: () => new Promise(() => {}),
    });
    runs.push(first);
    first.feed.push({ id: 'row-1' });
    await first.advance(1_000);
    await until(() => first.handled.length === 1);
    first.kill();
    const attempts: number[] = [];
    const second = await startInbound({
      store: new FileInboundStore(folder),
      feed: first.feed,
      handler: async (_message, { attempt }) => void attempts.push(attempt),
    });
    runs.push(second);
    await until(() => second.feed.acks.includes('row-1'));
    expect(attempts).toEqual([2]);
  });

  it('after context.reply: the handler runs again, the answer is not sent again', async () => {
    const first = await startInbound({
      store: new FileInboundStore(folder),
      handler: async (_message, { reply }) => {
        await reply('one');
        return new Promise(() => {});
      },
    });
    runs.push(first);
    first.feed.push({ id: 'row-1' });
    await first.advance(1_000);
    await until(async () => (await log().catch(() => '')).includes('"repliesSent":1'));
    expect(first.feed.replies).toHaveLength(1);
    first.kill();
    const second = await startInbound({
      store: new FileInboundStore(folder),
      feed: first.feed,
      handler: async (_message, { reply }) => {
        await reply('one');
        return 'returned';
      },
    });
    runs.push(second);
    await until(() => second.feed.acks.includes('row-1'));
    expect(second.feed.replies).toMatchObject([{ text: 'one', isDuplicate: false }]);
  });

  it('with a disk that became full after the outcome was stored: the handler does not run again', async () => {
    const file = new FileInboundStore(folder);
    let isFull = false;
    const first = await startInbound({
      store: {
        load: () => file.load(),
        append: (lines) => (isFull ? Promise.reject(new Error('The disk is full.')) : file.append(lines)),
        replace: (lines) => (isFull ? Promise.reject(new Error('The disk is full.')) : file.replace(lines)),
      },
      handler: async () => 'answer',
      prepare: ({ feed, crash }) => {
        feed.push({ id: 'row-1' });
        crash.arm('before', 'acknowledge');
      },
    });
    runs.push(first);
    await until(() => {
      isFull = first.feed.replies.length > 0;
      return first.crash.hasCrashed;
    });
    first.kill();
    const second = await comesBack(first);
    expect(second.handled).toEqual([]);
    expect(second.feed.replies.filter((reply) => !reply.isDuplicate)).toHaveLength(1);
  });

  it.each([
    ['before', 'store attempt'],
    ['after', 'store attempt'],
    ['after', 'store outcome'],
    ['after', 'store finish'],
  ] as const)('%s %s: exactly one answer', async (when, operation) => {
    const second = await comesBack(await dies(when, operation));
    expect(second.feed.replies.filter((reply) => !reply.isDuplicate)).toHaveLength(1);
  });
});
