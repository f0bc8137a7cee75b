import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CrashSwitch, type InboundRun, startInbound, until } from '../../test/inbound-stage.ts';
import type { MemoryFeed } from '../../test/memory-feed.ts';
import type { AttemptHandler } from './handler.ts';
import { FileInboundStore } from './inbound-store.ts';

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
  await run.inbound.flush();
  expect(await log(), 'the text of a finished message').not.toContain('answer');
  return run;
}

describe('a process killed', () => {
  it.each([
    ['before', 'store attempt', { handlesAgain: true, duplicates: 0 }],
    ['after', 'store attempt', { handlesAgain: true, duplicates: 0 }],
    ['before', 'store outcome', { handlesAgain: true, duplicates: 0 }],
    ['after', 'store outcome', { handlesAgain: false, duplicates: 0 }],
    ['before', 'reply', { handlesAgain: false, duplicates: 0 }],
    ['after', 'reply', { handlesAgain: false, duplicates: 1 }],
    ['before', 'store finish', { handlesAgain: false, duplicates: 1 }],
    ['after', 'store finish', { handlesAgain: false, duplicates: 0 }],
    ['before', 'acknowledge', { handlesAgain: false, duplicates: 0 }],
    ['after', 'acknowledge', { handlesAgain: false, duplicates: 0 }],
  ] as const)('%s %s: one answer, and what is left is done', async (when, operation, expected) => {
    const first = await dies(when, operation);
    const second = await comesBack(first);
    const { replies } = second.feed;
    expect({
      handlesAgain: second.handled.length > 0,
      duplicates: replies.filter(({ isDuplicate }) => isDuplicate).length,
    }).toEqual(expected);
    expect(replies.filter(({ isDuplicate }) => !isDuplicate)).toMatchObject([{ text: 'answer' }]);
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
});
