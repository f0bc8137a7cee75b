import { createServer, IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, beforeEach, expect, it, type MockInstance, vi } from 'vitest';
import { ManualClock } from './manual-clock.ts';
import { StallWarning } from './stall-warning.ts';

let warn: MockInstance<typeof process.emitWarning>;
beforeEach(() => {
  warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
  warn.mockRestore();
});

function stallWarning() {
  const clock = new ManualClock();
  const server = createServer();
  const warning = new StallWarning(clock);
  warning.watch(server);
  const request = (method: string, url: string) => {
    const incoming = Object.assign(new IncomingMessage(new Socket()), { method, url });
    const response = new ServerResponse(incoming);
    server.emit('request', incoming, response);
    return response;
  };
  return { clock, warning, request };
}

it('warns once of requests that wait while the clock stands still', async () => {
  const { clock, request } = stallWarning();
  clock.schedule(1, () => {});
  request('POST', '/workspaces/a/a2a');
  vi.advanceTimersByTime(1_900);
  await clock.advance(0);
  vi.advanceTimersByTime(1_900);
  expect(warn).not.toHaveBeenCalled();
  vi.advanceTimersByTime(100);
  expect(warn).toHaveBeenCalledExactlyOnceWith(
    expect.stringContaining('1 timers wait for the clock: advance it'),
    expect.anything(),
  );
  request('POST', '/workspaces/a/a2a');
  vi.advanceTimersByTime(10_000);
  expect(warn).toHaveBeenCalledTimes(1);
});

it('does not warn of requests that end, of reads of the feed, and after its end', () => {
  const { warning, request } = stallWarning();
  request('GET', '/workspaces/a/activity?wait=25');
  request('POST', '/registry/heartbeat').emit('close');
  vi.advanceTimersByTime(10_000);
  expect(warn).not.toHaveBeenCalled();
  request('POST', '/workspaces/a/a2a');
  warning.end();
  vi.advanceTimersByTime(10_000);
  expect(warn).not.toHaveBeenCalled();
});
