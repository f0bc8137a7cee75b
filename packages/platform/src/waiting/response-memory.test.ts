import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { type MemoryShare, ResponseMemory } from './response-memory.ts';

const MIB = 1024 * 1024;

function startMemory() {
  const clock = new ManualClock();
  const memory = new ResponseMemory({ clock });
  const granted: string[] = [];
  const shares = new Map<string, MemoryShare>();
  const reserve = (name: string, workspaceId: string, bytes: number): Promise<void> =>
    memory.reserve(workspaceId, bytes).then(
      (share) => {
        granted.push(name);
        shares.set(name, share);
      },
      (error) => void granted.push(`${name}: ${error.status} ${error.headers['retry-after']}`),
    );
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  return { clock, granted, shares, reserve, settle };
}

describe('the memory of large responses', () => {
  it('is 64 MiB for all and 24 MiB for one workspace; others do not wait behind it', async () => {
    const { granted, shares, reserve, settle } = startMemory();
    for (const name of ['a1', 'a2', 'a3']) void reserve(name, 'a', 10 * MIB);
    for (const name of ['b1', 'b2']) void reserve(name, 'b', 12 * MIB);
    void reserve('c1', 'c', 21 * MIB);
    void reserve('d1', 'd', 1 * MIB);
    await settle();
    expect(granted).toEqual(['a1', 'a2', 'b1', 'b2']);
    shares.get('a1')?.shrink(6 * MIB);
    await settle();
    expect(granted.slice(4)).toEqual(['c1', 'd1']);
    shares.get('a1')?.release();
    shares.get('a1')?.release();
    await settle();
    expect(granted.slice(6)).toEqual([]);
    shares.get('b1')?.release();
    await settle();
    expect(granted.slice(6)).toEqual(['a3']);
  });

  it('is refused after ten seconds, with the time to wait', async () => {
    const { clock, granted, reserve, settle } = startMemory();
    void reserve('all', 'a', 200 * MIB);
    void reserve('late', 'b', MIB);
    await settle();
    clock.advance(9_999);
    await settle();
    expect(granted).toEqual(['all']);
    clock.advance(1);
    await settle();
    expect(granted).toEqual(['all', 'late: 503 2']);
  });
});
