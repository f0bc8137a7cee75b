import { describe, expect, it } from 'vitest';
import { KeptTexts } from './answer-stream.ts';

const MIB = 1024 * 1024;

describe('the text that is kept for slow readers', () => {
  it('is at most 32 Mi characters for one sender and 128 Mi in all: who has been behind for longest is disconnected', () => {
    const kept = new KeptTexts();
    const left: string[] = [];
    const add = (name: string, sender: string, caughtUpAt: number, mebi: number): void => {
      const text = {
        sender,
        caughtUpAt,
        length: mebi * MIB,
        disconnect: () => {
          left.push(name);
          kept.delete(text);
        },
      };
      kept.add(text);
    };
    const disconnected = (): string[] => {
      kept.trim();
      return left.splice(0);
    };
    add('second', 'a', 2, 10);
    add('first', 'a', 1, 10);
    add('third', 'a', 3, 10);
    expect(disconnected()).toEqual([]);
    add('close behind', 'a', 0, 0);
    add('fourth', 'a', 4, 10);
    expect(disconnected()).toEqual(['first']);
    for (const [index, sender] of ['b', 'c', 'd'].entries()) add(sender, sender, 5 + index, 32);
    expect(disconnected()).toEqual([]);
    add('last', 'e', 9, 10);
    expect(disconnected()).toEqual(['second']);
    expect(disconnected()).toEqual([]);
  });
});
