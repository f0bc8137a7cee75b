import { expect, it } from 'vitest';
import { SerialQueue } from './agent-turns.ts';

const never = new AbortController().signal;

it('stops waiting with the reason of the signal, and what comes later still waits for what runs', async () => {
  const queue = new SerialQueue();
  const first = Promise.withResolvers<string>();
  const stop = new AbortController();
  const running = queue.run('a', never, () => first.promise);
  const waiting = queue.run('a', stop.signal, async () => 'second');
  const last = queue.run('a', never, async () => 'third');
  stop.abort(new Error('cancelled'));
  await expect(waiting).rejects.toThrow('cancelled');
  let isLast = false;
  void last.then(() => {
    isLast = true;
  });
  await Promise.resolve();
  expect(isLast).toBe(false);
  first.resolve('first');
  expect(await running).toBe('first');
  expect(await last).toBe('third');
});
