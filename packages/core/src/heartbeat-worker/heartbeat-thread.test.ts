import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { silentLogger } from '../logging/logger.ts';
import type { DispatchHandler } from '../settings/connection-settings.ts';
import { type HeartbeatThread, WorkerHeartbeats } from './heartbeat-thread.ts';

/** Apart, so that nothing of the test holds the handler. */
function sendFirst(thread: HeartbeatThread): WeakRef<DispatchHandler> {
  const handler: DispatchHandler = {
    onRequestStart: () => {},
    onResponseStart: () => {},
    onResponseData: () => {},
    onResponseEnd: () => {},
    onResponseError: () => {},
  };
  const sent: string[] = [];
  const direct = { dispatch: ({ path }: { path: string }) => sent.push(path) > 0 };
  const request = { origin: 'http://127.0.0.1:9', path: '/registry/heartbeat', method: 'POST' } as const;
  thread
    .through(direct)
    .dispatch({ ...request, headers: [], body: '{}', headersTimeout: 0, bodyTimeout: 0 }, handler);
  expect(sent).toEqual(['/registry/heartbeat']);
  return new WeakRef(handler);
}

it('does not keep the first request for as long as the agent runs', async () => {
  const thread = new WorkerHeartbeats({
    intervalMs: 30_000,
    maxBlockMs: 300_000,
    logger: silentLogger,
    proxy: null,
    onRepeated: () => {},
    onClose: () => {},
  });
  try {
    const handler = sendFirst(thread);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    // A weak reference that was read or made holds its target until the end of the turn.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(handler.deref()).toBeUndefined();
  } finally {
    await thread.close();
  }
});
