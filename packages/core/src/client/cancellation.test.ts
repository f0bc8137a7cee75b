import { describe, expect, it } from 'vitest';
import { PEER, SELF } from '../../test/agent-ids.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import type { ScriptedResponse, ScriptedServer, SeenRequest } from '../../test/scripted-server.ts';
import { operatorStage, stage } from '../../test/test-client.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { TimeoutError } from '../errors/timeout-error.ts';
import { wasCanceled } from './canceled-calls.ts';

const offered = { 'x-molecule-capabilities': 'cancel, message-status' };
const notOffered = { 'x-molecule-capabilities': 'message-status' };
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

const lines = (server: ScriptedServer) => server.requests.map(({ method, path }) => `${method} ${path}`);
const cancels = (server: ScriptedServer): SeenRequest[] =>
  server.requests.filter(({ rawBody }) => rawBody.includes('tasks/cancel'));

describe('cancelTask', () => {
  it('returns the message as canceled', async () => {
    await using s = await stage();
    s.server.routes.set(recordPath, record('delivered'));
    s.server.routes.set(cancelPath, task('canceled', 'canceled'));
    const reply = await s.client.cancelTask('m-1');
    expect(reply).toMatchObject({
      status: 'canceled',
      peerId: PEER,
      messageId: 'm-1',
      contextId: 'c-1',
      text: '',
    });
    expect(lines(s.server)).toEqual([recordPath, cancelPath]);
    expect(s.server.last.body).toMatchObject({ method: 'tasks/cancel', params: { id: 'm-1' } });
    expect(s.server.contractProblems()).toEqual([]);
  });

  it('does not wait for calls, however many there are', async () => {
    await using s = await stage('hang', { maxConnections: 1 });
    const calls = [s.client.callPeer(PEER, 'slow'), s.client.callPeer(PEER, 'waits')];
    for (const call of calls) call.catch(() => {});
    await s.server.waitForRequests(1);
    s.server.routes.set(recordPath, record('delivered'));
    s.server.routes.set(cancelPath, task('canceled', 'canceled'));
    expect(await s.client.cancelTask('m-1')).toMatchObject({ status: 'canceled' });
    expect(cancels(s.server)).toHaveLength(1);
  });

  it('returns the end of a message that has ended, without cancelling', async () => {
    const body = {
      jsonrpc: '2.0',
      id: 'm-1',
      result: { kind: 'message', parts: [{ kind: 'text', text: 'done' }] },
    };
    await using s = await stage();
    s.server.routes.set(recordPath, record('answered', { answer: body }));
    expect(await s.client.cancelTask('m-1')).toMatchObject({ status: 'answered', text: 'done' });
    expect(lines(s.server)).toEqual([recordPath]);
  });

  it('returns the answer that came at the same time', async () => {
    const body = {
      jsonrpc: '2.0',
      id: 'm-1',
      result: { kind: 'message', parts: [{ kind: 'text', text: 'done' }] },
    };
    await using s = await stage();
    s.server.routes.set(recordPath, record('delivered'));
    s.server.routes.set(cancelPath, (_request, response) => {
      s.server.routes.set(recordPath, record('answered', { answer: body }));
      const { headers, body: answered } = task('answered', 'completed') as { headers: object; body: unknown };
      response.writeHead(200, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify(answered));
    });
    expect(await s.client.cancelTask('m-1')).toMatchObject({ status: 'answered', text: 'done' });
  });

  it('of an unknown message is `message_not_found`', async () => {
    await using s = await stage(unknown);
    const error = await s.client.cancelTask('m-1').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'not_found', platformCode: 'message_not_found' });
    expect(cancels(s.server)).toEqual([]);
  });

  it('sends nothing to a platform that does not cancel', async () => {
    await using s = await stage({ headers: notOffered, body: [] });
    await s.client.getPeers();
    const error = await s.client.cancelTask('m-1').catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'not_supported', hint: expect.any(String) });
    await expect(s.client.fetchCancellations()).rejects.toMatchObject({ code: 'not_supported' });
    expect(s.server.requests).toHaveLength(1);
  });

  it('learns from the read of the state that a platform does not cancel', async () => {
    const { body } = record('delivered') as { body: unknown };
    await using s = await stage({ headers: notOffered, body });
    await expect(s.client.cancelTask('m-1')).rejects.toMatchObject({ code: 'not_supported' });
    expect(lines(s.server)).toEqual([recordPath]);
  });

  it('of an operator names the target', async () => {
    await using s = await operatorStage();
    s.server.routes.set(`GET /workspaces/${PEER}/messages/m-1`, record('queued'));
    s.server.routes.set(`POST /workspaces/${PEER}/a2a`, task('canceled', 'canceled'));
    expect(await s.client.cancelMessage(PEER, 'm-1')).toMatchObject({ status: 'canceled', peerId: PEER });
  });
});

describe('fetchCancellations', () => {
  it('returns the canceled messages and the next position; other words move the position only', async () => {
    const rows = [
      { seq: 7, method: 'cancel_task', message_id: 'm-1', activity_id: SELF },
      { seq: 9, method: 'of_a_later_version', message_id: 'm-2', activity_id: PEER },
    ];
    await using s = await stage({ headers: offered, body: rows });
    expect(await s.client.fetchCancellations({ sinceSeq: 5, waitSecs: 20 })).toEqual({
      canceled: [{ activityId: SELF, messageId: 'm-1' }],
      lastSeq: 9,
    });
    expect(Object.fromEntries(s.server.last.query)).toEqual({ only: 'control', since_seq: '5', wait: '20' });
    s.server.script({ body: [] });
    expect(await s.client.fetchCancellations({ sinceSeq: 9 })).toEqual({ canceled: [], lastSeq: 9 });
    expect(s.server.contractProblems()).toEqual([]);
    s.server.script({ body: { items: 1 } });
    await expect(s.client.fetchCancellations()).rejects.toMatchObject({ code: 'unexpected_response' });
  });
});

describe('an aborted call', () => {
  const callPath = `POST /workspaces/${PEER}/a2a`;
  const clock = () => ({ clock: new ManualClock() });

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

  it('cancels its message in the background', async () => {
    await using s = await stage({ headers: offered, body: [] }, clock());
    await s.client.getPeers();
    s.server.routes.set(cancelPath, task('canceled', 'canceled'));
    await aborted(s, { messageId: 'm-1' });
    await s.server.waitForRequests(3);
    expect(cancels(s.server)[0]).toMatchObject({
      path: `/workspaces/${SELF}/a2a`,
      body: { params: { id: 'm-1' } },
    });
  });

  it.each([
    { ended: task('canceled', 'canceled'), isCanceled: true },
    { ended: task('answered', 'completed'), isCanceled: false },
    { ended: unknown, isCanceled: false },
  ])('is known as canceled if its message ended so: $isCanceled', async ({ ended, isCanceled }) => {
    await using s = await stage({ headers: offered, body: [] });
    await s.client.getPeers();
    s.server.routes.set(cancelPath, ended);
    const messageId = crypto.randomUUID();
    await aborted(s, { messageId });
    await s.server.waitForRequests(3);
    // Its response comes after that of the cancellation.
    await s.client.getPeers();
    await expect.poll(() => wasCanceled(messageId)).toBe(isCanceled);
  });

  it('asks a platform that has not responded yet for its capabilities', async () => {
    await using s = await stage([], clock());
    s.server.routes.set(recordPath, record('delivered'));
    s.server.routes.set(cancelPath, task('canceled', 'canceled'));
    await aborted(s, { messageId: 'm-1' });
    await s.server.waitForRequests(3);
    expect(lines(s.server)).toEqual([callPath, recordPath, cancelPath]);
  });

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
    await using s = await stage({ headers: offered, body: [] }, { clock: manual });
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

  it.each([
    ['without the capability', { headers: notOffered, body: [] }],
    ['for a platform that names none', { body: [] }],
  ])('cancels nothing %s', async (_name, response) => {
    await using s = await stage(response);
    await s.client.getPeers();
    await aborted(s);
    await s.client.close();
    expect(cancels(s.server)).toEqual([]);
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

  it('cancels when the handler runs again and makes a new call', async () => {
    await using s = await stage({ headers: offered, body: [] });
    await s.client.getPeers();
    s.server.routes.set(cancelPath, task('canceled', 'canceled'));
    await aborted(s, { reason: new MoleculeError('The agent was stopped.', { code: 'agent_stopped' }) });
    await s.server.waitForRequests(3);
    expect(cancels(s.server)).toHaveLength(1);
  });

  it('cancels nothing when it was not sent', async () => {
    await using s = await stage({ headers: offered, body: [] });
    await s.client.getPeers();
    const signal = AbortSignal.abort(new Error('already'));
    await expect(s.client.callPeer(PEER, 'work', { signal })).rejects.toThrow('already');
    await s.client.close();
    expect(s.server.requests).toHaveLength(1);
  });

  it('is not the same as a timeout, which cancels nothing, nor as an aborted wait for an answer', async () => {
    const manual = new ManualClock();
    await using s = await stage({ headers: offered, body: [] }, { clock: manual });
    await s.client.getPeers();
    s.server.routes.set(callPath, 'hang');
    s.server.routes.set(recordPath, 'hang');
    const call = s.client.callPeer(PEER, 'work', { timeoutMs: 1_000 });
    call.catch(() => {});
    await s.server.waitForRequests(2);
    await manual.advance(1_000);
    await expect(call).rejects.toMatchObject({ code: 'timed_out' });
    const abort = new AbortController();
    const waiting = s.client.waitForAnswer('m-1', { signal: abort.signal });
    waiting.catch(() => {});
    await s.server.waitForRequests(3);
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await s.client.close();
    expect(cancels(s.server)).toEqual([]);
  });
});
