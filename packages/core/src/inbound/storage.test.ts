import { mkdtemp, readdir, readFile, rm, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startInbound, until } from '../../test/inbound-stage.ts';
import type { CursorRecord, CursorStore } from './cursor-store.ts';
import { FileDeadLetterStore, MemoryDeadLetterStore } from './dead-letter-store.ts';
import { FileCursorStore } from './file-cursor-store.ts';
import { FileMessageJournal } from './file-message-journal.ts';
import type { InboundDelivery } from './inbound-delivery.ts';
import { fileStores, memoryStores } from './inbound-stores.ts';
import { RecentMessages } from './recent-messages.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'molecule-inbound-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const record: CursorRecord = {
  acknowledged: 'row-3',
  read: 'row-5',
  finishedAhead: ['row-5'],
  recent: ['row-3', 'row-5'],
  attempts: { 'row-4': 2 },
};
const letter = {
  activityId: 'row-1',
  messageId: 'm',
  sourceId: 's',
  stage: 'handler' as const,
  attempts: 5,
  errorCode: 'handler_failed',
  at: '2026-01-01T00:00:00.000Z',
};
const entry = { outcome: { reply: 'text' }, repliesSent: 1, effects: { a: [1, { b: null }] } };
const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

describe('a path below a regular file', () => {
  it('is told once, the agent goes on in memory, and that it works again is told once', async () => {
    const blocker = join(folder, 'state');
    await writeFile(blocker, 'a file');
    const stores = fileStores(join(blocker, 'agent'));
    let attempts = 0;
    const run = await startInbound({
      stores,
      concurrency: 4,
      handler: async (message, { once, reply }) => {
        await once('effect', () => 'done');
        if (message.id === 'row-2') await reply('by itself');
        if (message.id === 'row-3') {
          attempts += 1;
          throw new Error('Never.');
        }
        return 'answer';
      },
    });
    run.feed.pushMany(8);
    await until(async () => {
      await run.advance(64_000);
      return run.feed.acks.includes('row-8');
    });
    expect(attempts).toBe(5);
    const told = () => run.heard.filter((event) => event.startsWith('storage'));
    expect(told()).toEqual(['storageTrouble']);
    await unlink(blocker);
    run.feed.pushMany(2);
    await until(async () => {
      await run.advance(1_000);
      return run.feed.acks.includes('row-10');
    });
    expect(told()).toEqual(['storageTrouble', 'storageHealed']);
    // What could not be written before is written now.
    await until(async () => (await stores.deadLetters.list()).length === 1);
    expect(await stores.deadLetters.list()).toMatchObject([{ activityId: 'row-3' }]);
    await until(async () => (await stores.cursor.load())?.acknowledged === 'row-10');
    expect(await readdir(join(blocker, 'agent', 'journal'))).toEqual([]);
    await run.pipeline.suspend();
    run.pipeline.close();
  });
});

describe('a closed pipeline', () => {
  it("writes no position any more: the file may be another process's by now", async () => {
    const saved: (string | null)[] = [];
    const cursor: CursorStore = {
      load: async () => undefined,
      save: async ({ read }) => void saved.push(read),
    };
    let deliver = (_rowId: string): void => {};
    const stubborn: InboundDelivery = {
      name: 'stubborn',
      expectedSilenceMs: 60_000,
      run: async ({ inbox }) => {
        const page = { messages: [], rows: 1, skipped: 1, hasMore: false, waitApplied: false };
        deliver = (lastRowId) => void inbox.accept({ ...page, lastRowId });
        await new Promise(() => {});
      },
    };
    const run = await startInbound({ stores: { ...memoryStores(), cursor }, delivery: stubborn });
    await run.advance();
    deliver('in-time');
    await run.advance();
    expect(saved).toContain('in-time');
    run.pipeline.close();
    deliver('late');
    await run.advance();
    expect(saved).not.toContain('late');
  });
});

describe('FileCursorStore', () => {
  it('gives back what it was given, in a file of mode 0600 in folders of mode 0700', async () => {
    const path = join(folder, 'a', 'b', 'cursor.json');
    const store = new FileCursorStore(path);
    expect(await store.load()).toBeUndefined();
    await store.save(record);
    expect(await new FileCursorStore(path).load()).toEqual(record);
    expect([
      await modeOf(path),
      await modeOf(join(folder, 'a')),
      await modeOf(join(folder, 'a', 'b')),
    ]).toEqual(['600', '700', '700']);
  });

  it('takes a file with a bare id as that position', async () => {
    const path = join(folder, 'cursor');
    await writeFile(path, '7c1d2e3f-4a5b\n');
    expect(await new FileCursorStore(path).load()).toMatchObject({ acknowledged: '7c1d2e3f-4a5b' });
  });

  it.each(['{"version":1,', '{"version":2}', '[]', 'two words'])('refuses %j', async (text) => {
    const path = join(folder, 'cursor.json');
    await writeFile(path, text);
    await expect(new FileCursorStore(path).load()).rejects.toMatchObject({
      code: 'storage_failed',
    });
  });

  it('killed in the middle of a write: the old record counts, and the part is cleared away', async () => {
    const path = join(folder, 'cursor.json');
    await new FileCursorStore(path).save(record);
    const part = join(folder, '.cursor.json.1.part.tmp');
    await writeFile(part, '{"version":1,"ackno');
    await utimes(part, 1, 1);
    expect(await new FileCursorStore(path).load()).toEqual(record);
    expect(await readdir(folder)).toEqual(['cursor.json']);
  });

  it('readers beside a writer see one record or the other, never a part', async () => {
    const path = join(folder, 'cursor.json');
    const store = new FileCursorStore(path);
    await store.save(record);
    let isWriting = true;
    const writing = (async () => {
      for (let n = 0; n < 20; n += 1) {
        await store.save({ ...record, acknowledged: `row-${n}`, recent: Array(n * 50).fill('x'.repeat(36)) });
      }
      isWriting = false;
    })();
    while (isWriting) {
      const seen = await new FileCursorStore(path).load();
      if (seen?.acknowledged !== 'row-3') expect(seen?.acknowledged).toMatch(/^row-\d+$/);
    }
    await writing;
  });

  it('an unreadable position is told, and the platform says what is not acknowledged', async () => {
    const stores = fileStores(folder);
    await writeFile(join(folder, 'cursor.json'), 'garbage of some kind');
    const run = await startInbound({ stores });
    await run.advance();
    expect(run.feed.queries[0]).toMatchObject({ unacknowledged: true });
    expect(run.logger.messages('warn')).toHaveLength(1);
    run.kill();
  });
});

describe('FileMessageJournal', () => {
  it('keeps one private file per message until it is removed', async () => {
    const directory = join(folder, 'journal');
    const journal = new FileMessageJournal(directory);
    await journal.save('../row/1', entry);
    expect(await new FileMessageJournal(directory).load('../row/1')).toEqual(entry);
    expect(await journal.load('row-2')).toBeUndefined();
    const [name = ''] = await readdir(directory);
    expect(name).toMatch(/^[0-9a-f]{40}\.json$/);
    expect([await modeOf(directory), await modeOf(join(directory, name))]).toEqual(['700', '600']);
    await journal.remove('../row/1');
    await journal.remove('../row/1');
    expect(await readdir(directory)).toEqual([]);
  });

  it('a damaged entry is told, and the message is handled anew', async () => {
    const stores = fileStores(folder);
    await stores.journal.save('row-1', entry);
    const [name = ''] = await readdir(join(folder, 'journal'));
    await writeFile(join(folder, 'journal', name), '{"activityId":');
    const run = await startInbound({ stores: fileStores(folder) });
    run.feed.push({ id: 'row-1' });
    await run.advance(1_000);
    await until(() => run.feed.acks.length === 1);
    expect(run.handled).toEqual(['row-1']);
    expect(run.logger.messages('warn')).toEqual([
      'A journal entry is unreadable: the message is handled anew.',
    ]);
    run.kill();
  });

  it('clears away what a writer left that died in the middle', async () => {
    const directory = join(folder, 'journal');
    await new FileMessageJournal(directory).save('row-1', entry);
    const [name = ''] = await readdir(directory);
    const part = join(directory, `.${name}.1.part.tmp`);
    await writeFile(part, '{"activityId":"row-1","outcome":{"reply":"the te');
    await utimes(part, 1, 1);
    expect(await new FileMessageJournal(directory).load('row-1')).toEqual(entry);
    expect(await readdir(directory)).toEqual([name]);
  });
});

describe('dead letters', () => {
  it('are a private file without any text of a message', async () => {
    const stores = fileStores(join(folder, 'agent'));
    const run = await startInbound({
      stores,
      handler: async (message) => {
        throw new Error(`Cannot read ${message.text}`);
      },
    });
    run.feed.push({ id: 'row-1', text: 'the secret text' });
    await until(async () => {
      await run.advance(64_000);
      return run.feed.acks.length > 0;
    });
    const path = join(folder, 'agent', 'dead-letters.json');
    expect(await readFile(path, 'utf8')).not.toContain('secret');
    expect(await modeOf(path)).toBe('600');
    expect(await stores.deadLetters.list()).toMatchObject([{ activityId: 'row-1', stage: 'handler' }]);
    run.kill();
  });

  it('keep their order, and a damaged list does not lose a new one', async () => {
    const path = join(folder, 'dead-letters.json');
    const store = new FileDeadLetterStore(path);
    await Promise.all(['a', 'b', 'c'].map((activityId) => store.append({ ...letter, activityId })));
    expect((await store.list()).map((each) => each.activityId)).toEqual(['a', 'b', 'c']);
    await writeFile(path, '[{');
    expect(await store.list()).toEqual([]);
    await store.append(letter);
    expect(await new FileDeadLetterStore(path).list()).toEqual([letter]);
  });

  it('go on after a failed write', async () => {
    const blocker = join(folder, 'blocker');
    await writeFile(blocker, '');
    const store = new FileDeadLetterStore(join(blocker, 'dead-letters.json'));
    await expect(store.append(letter)).rejects.toMatchObject({ code: 'storage_failed' });
    await unlink(blocker);
    await store.append(letter);
    expect(await store.list()).toEqual([letter]);
  });

  it('in memory are the last thousand', async () => {
    const store = new MemoryDeadLetterStore();
    for (let n = 0; n < 1_002; n += 1) await store.append({ ...letter, attempts: n });
    const kept = await store.list();
    expect([kept.length, kept[0]?.attempts]).toEqual([1_000, 2]);
  });
});

it('RecentMessages keeps the latest, up to its capacity', () => {
  const recent = new RecentMessages(['a', 'b', 'c'], 2);
  expect(recent.list()).toEqual(['b', 'c']);
  recent.remember('b', null, 'd');
  expect(recent.list()).toEqual(['b', 'd']);
  expect([recent.has('b'), recent.has('c'), recent.has(null)]).toEqual([true, false, false]);
});
