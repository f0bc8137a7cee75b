import { describe, expect, it } from 'vitest';
import { errorBodyOf } from './error-body.ts';
import { ERROR_CODES, errorMayHaveStatus, errorStatus, isErrorCode } from './error-codes.ts';
import { checkExchange } from './exchange.ts';
import { A2aResponse } from './message-responses.ts';

const id = '0b9a3f6e-8a51-4c55-9f0e-2f6a52f3a111';
const state = { workspace_id: id, status: 'online', paused: false, deleted: false };
const statePath = `/workspaces/${id}/state`;

describe('ERROR_CODES', () => {
  it('have one sentence each', () => {
    for (const sentence of Object.values(ERROR_CODES)) expect(sentence).toMatch(/^[A-Zaps].*\.$/);
  });

  it('come with their status', () => {
    expect(errorStatus('inbox_full')).toBe(429);
    expect([401, 404, 410, 400].map((status) => errorMayHaveStatus('workspace_removed', status))).toEqual([
      true,
      true,
      true,
      false,
    ]);
    expect(errorMayHaveStatus('agent_error', 418)).toBe(true);
    expect(isErrorCode('toString')).toBe(false);
  });
});

describe('checkExchange', () => {
  const get = { method: 'GET', path: statePath, mode: 'all' } as const;

  it('returns no violation for a correct exchange', () => {
    expect(checkExchange({ ...get, status: 200, responseBody: state })).toEqual([]);
    expect(checkExchange({ ...get, method: 'OPTIONS', status: 204 })).toEqual([]);
    expect(checkExchange({ ...get, method: 'HEAD', status: 200 })).toEqual([]);
    const gone = { error: 'workspace removed', code: 'workspace_removed', deleted: true, status: 'removed' };
    expect(checkExchange({ ...get, status: 404, responseBody: gone })).toEqual([]);
    const missing = { error: 'no such route', code: 'not_found' };
    expect(checkExchange({ ...get, path: '/nowhere', status: 404, responseBody: missing })).toEqual([]);
    const headers = { 'content-type': 'text/html' };
    expect(checkExchange({ ...get, path: '/', status: 200, responseHeaders: headers })).toEqual([]);
  });

  it('reports a response with an unknown or missing key', () => {
    expect(checkExchange({ ...get, status: 200, responseBody: { ...state, extra: 1 } })).toEqual([
      expect.stringContaining('WorkspaceState'),
    ]);
    expect(checkExchange({ ...get, status: 200, responseBody: { workspace_id: id } })).toHaveLength(3);
  });

  it('reports undeclared statuses and unknown routes', () => {
    expect(checkExchange({ ...get, status: 204 })).toEqual([expect.stringContaining('does not declare')]);
    expect(checkExchange({ ...get, path: '/nowhere', status: 200, responseBody: {} })).toHaveLength(1);
  });

  it('reports errors that violate the contract', () => {
    const error = (status: number, body: unknown): string[] =>
      checkExchange({ ...get, status, responseBody: body });
    expect(error(500, 'Internal Server Error')).not.toEqual([]);
    expect(error(404, { error: 'gone' })).not.toEqual([]);
    expect(error(404, { error: 'gone', code: 'made_up' })).not.toEqual([]);
    expect(error(404, { error: 'gone', code: 'workspace_not_found', extra: 1 })).not.toEqual([]);
    expect(error(418, { error: 'tea', code: 'workspace_not_found' })).not.toEqual([]);
    expect(error(402, { error: 'money', code: 'budget_exceeded' })).toEqual([
      expect.stringContaining('does not declare the code'),
    ]);
  });

  it('checks accepted requests in mode all only', () => {
    const beat = {
      method: 'POST',
      path: '/registry/heartbeat',
      status: 200,
      requestBody: { workspace_id: id, mood: 'good' },
      responseBody: {
        status: 'ok',
        workspace_status: 'online',
        paused: false,
        deleted: false,
        pending: 0,
        server_time: '2026-05-02T10:15:30Z',
      },
    } as const;
    expect(checkExchange({ ...beat, mode: 'all' })).toEqual([expect.stringContaining('mood')]);
    expect(checkExchange({ ...beat, mode: 'responses' })).toEqual([]);
    const feed = { ...get, path: `/workspaces/${id}/activity`, status: 200, responseBody: [] };
    expect(checkExchange({ ...feed, query: { wait: '20', direction: 'in' } })).toEqual([]);
    expect(checkExchange({ ...feed, query: { sideways: '1' } })).toHaveLength(1);
    expect(checkExchange({ ...get, status: 200, responseBody: state, query: { x: '1' } })).toHaveLength(1);
  });

  it('accepts every kind of A2A response', () => {
    const call = { method: 'POST', path: `/workspaces/${id}/a2a`, mode: 'responses' } as const;
    const queued = {
      queued: true,
      status: 'queued',
      delivery_mode: 'poll',
      queue_id: 'q',
      activity_id: id,
      message_id: 'm',
      queue_depth: 1,
      message: 'stored',
    };
    expect(checkExchange({ ...call, status: 202, responseBody: queued })).toEqual([]);
    expect(checkExchange({ ...call, status: 200, responseBody: queued })).not.toEqual([]);
    expect(A2aResponse.tolerant.safeParse({ status: 'queued', delivery_mode: 'poll' }).success).toBe(true);
    const rpc = { jsonrpc: '2.0', id: 1, result: { anything: [1] } };
    expect(checkExchange({ ...call, status: 200, responseBody: rpc })).toEqual([]);
    const answered = { status: 'answered', message_id: 'm', in_reply_to: 'n', delivered_to: 'feed' };
    expect(checkExchange({ ...call, status: 200, responseBody: answered })).toEqual([]);
    expect(checkExchange({ ...call, status: 200, responseBody: { ok: true } })).not.toEqual([]);
  });

  it('accepts an error in the form of JSON-RPC on an A2A route only', () => {
    const body = (code: unknown, data: unknown) => ({
      jsonrpc: '2.0',
      id: 1,
      error: { code, message: 'no', data },
    });
    const check = (path: string, responseBody: unknown) =>
      checkExchange({ method: 'POST', path, status: 404, responseBody, mode: 'responses' });
    const path = '/workspaces/11111111-2222-4333-8444-555555555555/a2a';
    expect(check(path, body(-32001, { code: 'message_not_found' }))).toEqual([]);
    expect(check(path, body('x', { code: 'message_not_found' }))).not.toEqual([]);
    expect(check(path, body(-32001, { code: 'nonsense' }))).not.toEqual([]);
    expect(check(path, body(-32001, undefined))).not.toEqual([]);
    expect(check('/registry/heartbeat', body(-32001, { code: 'workspace_not_found' }))).not.toEqual([]);
  });

  it('reads the error body in a JSON-RPC error', () => {
    const error = { code: -32000, message: 'no', data: { code: 'inbox_full', retry_after: 3 } };
    expect(errorBodyOf({ jsonrpc: '2.0', id: null, error })).toEqual({
      error: 'no',
      code: 'inbox_full',
      retry_after: 3,
    });
    for (const other of [
      undefined,
      'x',
      { error: 'no' },
      { jsonrpc: '2.0', error: { code: 1, message: 'no' } },
    ]) {
      expect(errorBodyOf(other)).toBe(other);
    }
  });
});
