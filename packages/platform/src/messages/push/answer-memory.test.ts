import { describe, expect, it } from 'vitest';
import { AnswerMemory } from './answer-memory.ts';

const MIB = 1024 * 1024;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function startMemory() {
  const memory = new AnswerMemory();
  const granted: string[] = [];
  const { signal } = new AbortController();
  const read = (workspaceId: string, bytes: number) => {
    const share = memory.open(workspaceId);
    expect(share.tryGrow(bytes)).toBe(true);
    return share;
  };
  const wait = (name: string, share: ReturnType<AnswerMemory['open']>, bytes: number) =>
    void share.grow(bytes, signal).then(() => granted.push(name));
  return { memory, granted, read, wait };
}

describe('the memory of answers', () => {
  it('is 32 MiB for one workspace, whose oldest answer and small ones go on; others do not wait behind it', async () => {
    const { memory, granted, read, wait } = startMemory();
    read('other', 1 * MIB);
    const oldest = read('a', 9 * MIB);
    const [second] = [read('a', 9 * MIB), read('a', 9 * MIB)];
    expect(second.tryGrow(6 * MIB)).toBe(false);
    expect(oldest.tryGrow(6 * MIB)).toBe(true);
    expect(memory.open('a').tryGrow(64 * 1024)).toBe(true);
    expect(memory.open('a').tryGrow(64 * 1024 + 1)).toBe(false);
    read('b', 9 * MIB);
    wait('second', second, 6 * MIB);
    await turn();
    expect(granted).toEqual([]);
    oldest.release();
    oldest.release();
    await turn();
    expect(granted).toEqual(['second']);
  });

  it('is 128 MiB for all; the oldest answer goes on, and then the next', async () => {
    const { granted, read, wait } = startMemory();
    const shares = Array.from({ length: 16 }, (_, index) => read(`workspace ${index}`, 8 * MIB));
    for (const [index, share] of shares.entries()) {
      expect(share.tryGrow(2 * MIB)).toBe(index === 0);
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
    const [aborted, next] = [memory.open('a'), memory.open('a')];
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
});
