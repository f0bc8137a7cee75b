import { expect, it } from 'vitest';
import { EventLoopLag, eventLoopLag } from './event-loop-lag.ts';

it('reports how long the event loop was blocked, while it is used', () => {
  const lag = new EventLoopLag();
  expect(lag.largestMs).toBeNull();
  const [end, endOther] = [lag.use(), lag.use()];
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700);
  expect(lag.largestMs).toBeGreaterThan(100);
  expect(lag.largestMs).toBeLessThan(60_000);
  end();
  expect(lag.largestMs).not.toBeNull();
  endOther();
  expect(lag.largestMs).toBeNull();
});

it('is one for the process', () => {
  expect(eventLoopLag()).toBe(eventLoopLag());
});
