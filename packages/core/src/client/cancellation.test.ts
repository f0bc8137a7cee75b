import { describe, expect, it } from 'vitest';
import { PEER, SELF } from '../../test/agent-ids.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import type { ScriptedResponse, ScriptedServer, SeenRequest } from '../../test/scripted-server.ts';
import { stage } from '../../test/test-client.ts';
import { TimeoutError } from '../errors/connection-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';

const offered = { 'x-molecule-capabilities': 'cancel, message-status' };
const unknown = {
  status: 404,
  headers: offered,
  body: { error: 'message not found', code: 'message_not_found' },
};
const recordPath = `GET /workspaces/${SELF}/messages/m-1`;
const cancelPath = `POST /workspaces/${SELF}/a2a`;

const record = (state: string, more: object = {}): ScriptedResponse => ({
  headers: offered,
  body: {
    message_id: 'm-1',
    queue_id: SELF,
    activity_id: SELF,
    caller_id: SELF,
    target_id: PEER,
    context_id: 'c-1',
    state,
    held: false,
    attempts: 1,
    created_at: '2026-01-01T00:00:00Z',
    answered_at: null,
    ended_at: null,
    answer: null,
    error: null,
    ...more,
  },
});

const task = (state: string, a2aState: string): ScriptedResponse => ({
  headers: offered,
  body: {
    jsonrpc: '2.0',
    id: 'm-1',
    result: {
      kind: 'task',
      id: SELF,
      contextId: 'c-1',
      status: { state: a2aState, timestamp: '2026-01-01T00:00:00Z' },
      metadata: { message_id: 'm-1', state },
    },
  },
});
const cancels = (server: ScriptedServer): SeenRequest[] =>
  server.requests.filter(({ rawBody }) => rawBody.includes('tasks/cancel'));

describe('cancelTask', () => {
  it('does not wait for calls, however many there are', async () => {
    await using s = await stage('hang', { limits: { maxConnections: 1 } });
    const calls = [s.client.callPeer(PEER, 'slow'), s.client.callPeer(PEER, 'waits')];
    for (const call of calls) call.catch(() => {});
    await s.server.waitForRequests(1);
    s.server.routes.set(recordPath, record('delivered'));
    s.server.routes.set(cancelPath, task('canceled', 'canceled'));
    expect(await s.client.cancelTask('m-1')).toMatchObject({ status: 'canceled' });
    expect(cancels(s.server)).toHaveLength(1);
  });
});

describe('an aborted call', () => {
  const callPath = `POST /workspaces/${PEER}/a2a`;

  async function aborted(
    s: Awaited<ReturnType<typeof stage>>,
    options: { messageId?: string; reason?: unknown } = {},
  ) {
    const { messageId, reason = new Error('no longer needed') } = options;
    const abort = new AbortController();
    s.server.routes.set(callPath, 'hang');
    const before = s.server.requests.length;
    const call = s.client.callPeer(PEER, 'work', { signal: abort.signal, messageId });
    call.catch(() => {});
    await s.server.waitForRequests(before + 1);
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
  }

  it('cancels again while its request is still on the way', async () => {
    await using s = await stage({ headers: offered, body: [] });
    await s.client.getPeers();
    s.server.script(unknown, unknown, task('canceled', 'canceled'));
    await aborted(s, { messageId: 'm-1' });
    await s.server.waitForRequests(5);
    expect(cancels(s.server)).toHaveLength(3);
  });

  it('cancels before the client closes, which waits for it a second at most', async () => {
    const manual = new ManualClock();
    await using s = await stage({ headers: offered, body: [] }, { connection: { clock: manual } });
    await s.client.getPeers();
    s.server.routes.set(cancelPath, 'hang');
    await aborted(s);
    let isClosed = false;
    const closing = s.client.close().then(() => {
      isClosed = true;
    });
    await s.server.waitForRequests(3);
    await manual.advance(999);
    expect(isClosed).toBe(false);
    await manual.advance(1);
    await closing;
    expect(manual.pending).toBe(0);
  });

  it('cancels nothing when the handler runs again and repeats the call', async () => {
    await using s = await stage({ headers: offered, body: [] });
    await s.client.getPeers();
    s.server.routes.set(cancelPath, task('canceled', 'canceled'));
    const stopped = new MoleculeError('The agent was stopped.', { code: 'agent_stopped' });
    await aborted(s, { messageId: 'm-1', reason: stopped });
    await aborted(s, { messageId: 'm-1', reason: new TimeoutError('Too long.', { timeoutMs: 1 }) });
    await s.client.close();
    expect(cancels(s.server)).toEqual([]);
  });
});

describe('held reads', () => {
  it('that are aborted or fail give their turn back', async () => {
    const script: ScriptedResponse[] = ['hang', { status: 500 }, 'hang', { status: 500 }, { body: [] }];
    await using s = await stage(script, { limits: { maxHeldReads: 1, maxRetries: 0 } });
    const held = { waitSecs: 25, takesTurns: true, isRetried: false } as const;
    type Read = (options: typeof held & { readonly signal?: AbortSignal }) => Promise<unknown>;
    const reads: Read[] = [
      (options) => s.port.fetchCancellations(options),
      (options) => s.port.fetchInboundPage(options),
    ];
    for (const [index, read] of reads.entries()) {
      const abort = new AbortController();
      const aborted = expect(read({ ...held, signal: abort.signal })).rejects.toThrow('enough');
      await s.server.waitForRequests(2 * index + 1);
      abort.abort(new Error('enough'));
      await aborted;
      await expect(read(held)).rejects.toMatchObject({ status: 500 });
    }
    await s.port.fetchInboundPage(held);
    expect(s.server.requests).toHaveLength(5);
    for (const { query } of s.server.requests) expect(query.get('wait')).toBe('25');
  });
});
