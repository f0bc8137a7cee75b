import { expect, it } from 'vitest';
import { FinishedKeys, messageKey } from './finished-messages.ts';

const keyIn = (sourceId: string, n: number): string =>
  messageKey({ id: 'row', messageId: String(n), method: 'message/send', source: 'peer_agent', sourceId });

it('forgets messages of those senders first who have most, also after a restart', () => {
  const limits = { rows: 2, keys: 300 };
  const finish = (keys: FinishedKeys, sender: string, count: number): void => {
    for (let n = 0; n < count; n += 1) keys.add(keyIn(sender, n));
  };
  const before = new FinishedKeys(limits);
  finish(before, 'quiet', 90);
  const keys = new FinishedKeys(limits);
  for (const key of before.all) keys.add(key);
  finish(keys, 'loud', 1_000);
  finish(keys, 'louder', 2_000);
  const knows = (sender: string, n: number): boolean => keys.has(keyIn(sender, n));
  expect([knows('quiet', 0), knows('loud', 999), knows('louder', 1_999)]).toEqual([true, true, true]);
  expect([knows('loud', 0), knows('louder', 0)]).toEqual([false, false]);
  expect(keys.all.length).toBeLessThanOrEqual(limits.keys * 1.01);
  for (let n = 0; n < 1_000; n += 1) finish(keys, `s${n}`, 1);
  expect(keys.all.length).toBeLessThanOrEqual(limits.keys * 1.01);
  expect(knows('s999', 0)).toBe(true);
});
