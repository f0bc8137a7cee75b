import { describe, expect, it } from 'vitest';
import { AnswerMemory, type AnswerShare } from './answer-memory.ts';

const MIB = 1024 * 1024;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Whether there is memory for so many bytes more now, which are then used. */
async function grows(share: AnswerShare, bytes: number): Promise<boolean> {
  const ending = new AbortController();
  const growing = share.grow(bytes, ending.signal).then(
    () => true,
    () => false,
  );
  await turn();
  ending.abort();
  return growing;
}

function startMemory() {
  const memory = new AnswerMemory();
  const granted: string[] = [];
  const { signal } = new AbortController();
  const read = (workspaceId: string, bytes: number) => {
    const share = memory.open(workspaceId).share();
    void share.grow(bytes, signal);
    return share;
  };
  const wait = (name: string, share: AnswerShare, bytes: number) =>
    void share.grow(bytes, signal).then(() => granted.push(name));
  const hold = (name: string, share: AnswerShare, bytes: number) =>
    void share.hold(bytes, signal).then(() => granted.push(name));
  return { memory, granted, read, wait, hold };
}

describe('the memory of answers', () => {
  it('is 32 MiB for one workspace, whose oldest answer and small ones go on; others do not wait behind it', async () => {
    const { memory, granted, read, wait } = startMemory();
    read('other', 1 * MIB);
    const oldest = read('a', 9 * MIB);
    const [second] = [read('a', 9 * MIB), read('a', 9 * MIB)];
    expect(await grows(second, 6 * MIB)).toBe(false);
    expect(await grows(oldest, 6 * MIB)).toBe(true);
    expect(await grows(memory.open('a').share(), 64 * 1024)).toBe(true);
    expect(await grows(memory.open('a').share(), 64 * 1024 + 1)).toBe(false);
    read('b', 9 * MIB);
    wait('second', second, 6 * MIB);
    await turn();
    expect(granted).toEqual([]);
    oldest.release();
    await turn();
    expect(granted).toEqual(['second']);
  });

  it('is 128 MiB for all; the oldest answer goes on, and then the next', async () => {
    const { granted, read, wait } = startMemory();
    const shares = Array.from({ length: 16 }, (_, index) => read(`workspace ${index}`, 8 * MIB));
    for (const [index, share] of shares.entries()) {
      expect(await grows(share, 2 * MIB)).toBe(index === 0);
      if (index > 0) wait(`${index}`, share, 2 * MIB);
    }
    shares[0]?.release();
    await turn();
    // 10 MiB less, of which the oldest of those left has none to wait for, and the next ones have 8 MiB.
    expect(granted).toEqual(['1', '2', '3', '4']);
    shares[5]?.release();
    await turn();
    expect(granted.slice(4)).toEqual(['5', '6', '7', '8']);
  });

  it('is not waited for by an answer that is aborted', async () => {
    const { memory, granted, read, wait } = startMemory();
    const first = read('a', 32 * MIB);
    const [aborted, next] = [memory.open('a').share(), memory.open('a').share()];
    const aborting = new AbortController();
    const failed = expect(aborted.grow(MIB, aborting.signal)).rejects.toThrow('over');
    wait('next', next, MIB);
    aborting.abort(new Error('over'));
    await failed;
    await expect(aborted.grow(MIB, aborting.signal)).rejects.toThrow('over');
    first.release();
    await turn();
    expect(granted).toEqual(['next']);
  });

  it('is the same for all that belongs to one answer, which waits for nothing that it uses itself', async () => {
    const { memory, granted, hold } = startMemory();
    const account = memory.open('a');
    account.add(20 * MIB);
    const reading = account.share();
    hold('first', reading, 20 * MIB);
    const second = memory.open('a').share();
    hold('second', second, 65 * 1024);
    await turn();
    expect(granted).toEqual(['first']);
    // The text is still there, for its readers, and no longer the oldest one that is being read.
    reading.release();
    await turn();
    expect(granted).toEqual(['first', 'second']);
    hold('third', second, 12 * MIB);
    expect(await grows(second, MIB)).toBe(true);
    const third = memory.open('a').share();
    expect(await grows(third, MIB)).toBe(false);
    account.add(-20 * MIB);
    expect(await grows(third, MIB)).toBe(true);
  });

  it('is taken from texts that nobody needs: of the workspace, or of all; the one that was offered first is first', async () => {
    const memory = new AnswerMemory();
    const dropped: string[] = [];
    const offer = (name: string, workspaceId: string, bytes: number) => {
      const account = memory.open(workspaceId);
      account.add(bytes);
      const drop = () => {
        dropped.push(name);
        account.add(-bytes);
      };
      account.offer(drop);
      return { account, drop };
    };
    for (const name of ['b1', 'c1', 'd1', 'e1']) offer(name, name.slice(0, 1), 20 * MIB);
    const [first] = [offer('a1', 'a', 15 * MIB), offer('a2', 'a', 15 * MIB)];
    first.account.offer(first.drop);
    expect(await grows(memory.open('a').share(), 10 * MIB)).toBe(true);
    expect(dropped).toEqual(['a2']);
    first.account.offer(undefined);
    expect(await grows(memory.open('f').share(), 30 * MIB)).toBe(true);
    expect(dropped).toEqual(['a2', 'b1']);
    // Of what is in use nothing is taken, also where a text is reported that nobody waits for.
    expect(memory.open('a').fits(8 * MIB)).toBe(false);
    expect(memory.open('a').fits(64 * 1024)).toBe(true);
    expect(dropped).toEqual(['a2', 'b1']);
  });

  it('is given to those who wait when a text is no longer needed, however many these are', async () => {
    const { memory, granted, read, wait } = startMemory();
    const accounts = Array.from({ length: 50_000 }, () => memory.open('a'));
    for (const account of accounts) account.add(640);
    const oldest = read('a', 2 * MIB);
    wait('second', memory.open('a').share(), 30 * MIB);
    for (const account of accounts) account.offer(() => account.add(-640));
    await turn();
    expect(granted).toEqual(['second']);
    oldest.release();
  });
});
