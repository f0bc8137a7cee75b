import {
  appendFile,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { positionIn, startInbound, until } from '../../test/inbound-stage.ts';
import type { InboundDelivery } from './delivery.ts';
import { FileInboundStore, listDeadLetters } from './inbound-store.ts';
import type { LedgerLine } from './ledger-lines.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'molecule-inbound-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const position: LedgerLine = { acknowledged: 'row-3', ahead: ['row-5'] };
const linesOf = (...records: LedgerLine[]) => records.map((each) => JSON.stringify(each));
const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

describe('after close', () => {
  it('nothing is stored, because another process may use the file', async () => {
    let deliver = (_rowId: string): void => {};
    const stubborn: InboundDelivery = {
      name: 'stubborn',
      expectedSilenceMs: 60_000,
      run: async ({ inbox }) => {
        const page = {
          messages: [],
          rows: 1,
          skipped: 1,
          oldestRow: null,
          hasMore: false,
          waitApplied: false,
        };
        deliver = (lastRowId) => void inbox.acceptPage({ ...page, lastRowId });
        await new Promise(() => {});
      },
    };
    const run = await startInbound({ delivery: stubborn });
    await run.advance();
    deliver('in-time');
    await run.advance();
    expect((await positionIn(run.store)).acknowledged).toBe('in-time');
    run.inbound.close();
    deliver('late');
    await run.advance();
    expect((await positionIn(run.store)).acknowledged).toBe('in-time');
  });
});

describe('FileInboundStore', () => {
  it('returns the stored lines, from a file of mode 0600 in folders of mode 0700', async () => {
    const store = new FileInboundStore(join(folder, 'a', 'b'));
    expect(await store.load()).toEqual([]);
    await store.replace(['{"a":1}', '{"b":"ü"}']);
    await store.append(['{"c":1}', '{"d":1}']);
    expect(await new FileInboundStore(join(folder, 'a', 'b')).load()).toEqual([
      '{"a":1}',
      '{"b":"ü"}',
      '{"c":1}',
      '{"d":1}',
    ]);
    await store.replace(['{"e":1}']);
    expect(await store.load()).toEqual(['{"e":1}']);
    const modes = [store.path, join(folder, 'a'), join(folder, 'a', 'b')].map(modeOf);
    expect(await Promise.all(modes)).toEqual(['600', '700', '700']);
  });

  it('reads lines across the parts that are read', async () => {
    const store = new FileInboundStore(folder);
    const long = JSON.stringify('ü'.repeat(1_500_000));
    await store.replace(['1', long, '2']);
    await store.append([long]);
    expect(await store.load()).toEqual(['1', long, '2', long]);
  });

  it('killed during an append: earlier lines are kept', async () => {
    const store = new FileInboundStore(folder);
    await store.replace(linesOf(position));
    const text = JSON.stringify({ finished: { rows: ['row-4'], keys: ['ü'] } });
    const torn = Buffer.from(text).subarray(0, Buffer.from(text).indexOf(0xc3) + 1);
    await appendFile(store.path, torn);
    expect(await positionIn(store)).toMatchObject({ acknowledged: 'row-3', unreadable: 0 });
    const run = await startInbound({ store: new FileInboundStore(folder) });
    run.feed.push({ id: 'row-3' });
    run.feed.push({ id: 'row-4' });
    await until(async () => {
      await run.advance(1_000);
      return run.feed.acks.includes('row-4');
    });
    expect(await positionIn(store)).toMatchObject({ acknowledged: 'row-4', unreadable: 0 });
    expect(run.logger.messages('warn')).toEqual([]);
    await run.inbound.suspend();
    run.kill();
  });

  it('killed during a replace: the old log is kept, and the temporary file is removed', async () => {
    const store = new FileInboundStore(folder);
    await store.replace(linesOf(position));
    const part = join(folder, '.inbound.jsonl.1.part.tmp');
    await writeFile(part, '{"row":"row-1","progress":{"answer":{"text":"the te');
    await utimes(part, 1, 1);
    expect(await new FileInboundStore(folder).load()).toEqual(linesOf(position));
    expect(await readdir(folder)).toEqual(['inbound.jsonl']);
  });

  it('concurrent readers see complete records only', async () => {
    const store = new FileInboundStore(folder);
    await store.replace(linesOf(position));
    let isWriting = true;
    const writing = (async () => {
      for (let n = 0; n < 20; n += 1) {
        const keys = Array(n * 50).fill('x'.repeat(36));
        await store.append(linesOf({ finished: { rows: [], keys } }));
        if (n % 5 === 0) await store.replace(linesOf(position));
      }
      isWriting = false;
    })();
    while (isWriting) {
      expect(await positionIn(store)).toMatchObject({ acknowledged: 'row-3', unreadable: 0 });
    }
    await writing;
  });

  it('keeps the file open, and does not append to one that was deleted or replaced since', async () => {
    const store = new FileInboundStore(folder);
    const lost: ((path: string) => Promise<void>)[] = [
      (path) => unlink(path),
      (path) => writeFile(`${path}.new`, '{"other":1}\n').then(() => rename(`${path}.new`, path)),
    ];
    for (const lose of lost) {
      await store.replace(['{"a":1}']);
      await store.append(['{"b":1}']);
      await lose(store.path);
      await expect(store.append(['{"c":1}'])).rejects.toMatchObject({ code: 'storage_failed' });
    }
    // As after any failure, what follows is a replacement.
    await store.replace(['{"d":1}']);
    await store.append(['{"e":1}']);
    await store.close();
    await store.append(['{"f":1}']);
    expect(await store.load()).toEqual(['{"d":1}', '{"e":1}', '{"f":1}']);
    await store.close();
  });

  it.each(['{"acknowledged":', '{"version":2}', '[]', 'two words', 'two\nlines'])(
    'unreadable, %j is reported, and what is not acknowledged is read',
    async (text) => {
      await writeFile(join(folder, 'inbound.jsonl'), text);
      const run = await startInbound({ store: new FileInboundStore(folder) });
      await run.advance();
      expect(run.feed.queries[0]).toMatchObject({ unacknowledged: true });
      expect(run.logger.messages('warn')).toHaveLength(1);
      run.kill();
    },
  );
});

describe('dead letters', () => {
  it('are stored with their message and without the text of the error', async () => {
    const store = new FileInboundStore(folder);
    const run = await startInbound({
      store,
      handler: async (message) => {
        throw new Error(`Cannot read ${message.text}`);
      },
    });
    run.feed.push({ id: 'row-1', text: 'the secret text' });
    await until(async () => {
      await run.advance(64_000);
      return run.feed.acks.length > 0;
    });
    expect(await readFile(store.path, 'utf8')).not.toContain('Cannot read');
    expect(await listDeadLetters(store)).toMatchObject([
      { activityId: 'row-1', stage: 'handler', message: { text: 'the secret text' } },
    ]);
    run.kill();
  });
});
