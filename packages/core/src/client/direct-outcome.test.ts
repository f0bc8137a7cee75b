import { describe, expect, it } from 'vitest';
import { ConnectionError, TimeoutError } from '../errors/connection-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import {
  type DirectOutcome,
  type NextStep,
  nextStep,
  outcomeOfFailure,
  outcomeOfResponse,
} from './direct-calls.ts';

const NOW = Date.UTC(2026, 0, 1);

function respond(
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
  isTooLarge = false,
): DirectOutcome {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return outcomeOfResponse({ status, headers, body: Buffer.from(text ?? ''), isTooLarge }, NOW);
}

describe('what follows from an outcome', () => {
  it.each<[DirectOutcome['kind'], NextStep, NextStep, NextStep]>([
    // With a token, with a token after one was renewed, without a token.
    ['responded', 'reply', 'reply', 'reply'],
    ['invalid', 'reply', 'reply', 'reply'],
    ['refused', 'refuse', 'refuse', 'refuse'],
    ['unauthorized', 'renew-token', 'proxy', 'proxy'],
    ['not-sent', 'proxy', 'proxy', 'proxy'],
    ['not-accepted', 'proxy', 'proxy', 'proxy'],
    ['in-doubt', 'proxy', 'proxy', 'give-up'],
  ])('%s', (kind, withToken, renewed, without) => {
    expect(nextStep({ kind }, { hasToken: true, isRenewed: false })).toBe(withToken);
    expect(nextStep({ kind }, { hasToken: true, isRenewed: true })).toBe(renewed);
    expect(nextStep({ kind }, { hasToken: false, isRenewed: false })).toBe(without);
    expect(nextStep({ kind }, { hasToken: false, isRenewed: true })).toBe(without);
  });
});

describe('what a response means', () => {
  const answer = { jsonrpc: '2.0', id: '1', result: { kind: 'message', parts: [] } };
  const error = { jsonrpc: '2.0', id: '1', error: { code: -32603, message: 'no' } };

  it.each<[number, unknown, Partial<DirectOutcome>]>([
    [200, answer, { kind: 'responded', body: answer }],
    [200, error, { kind: 'responded', body: error }],
    [200, { text: 'bare' }, { kind: 'responded' }],
    [202, { queued: true }, { kind: 'responded' }],
    [202, '', { kind: 'responded', body: { queued: true } }],
    [204, '', { kind: 'responded', body: { queued: true } }],
    [200, '', { kind: 'in-doubt' }],
    [200, 'not JSON', { kind: 'in-doubt' }],
    [200, { hello: 'world' }, { kind: 'in-doubt' }],
    [200, '[1]', { kind: 'in-doubt' }],
    [
      200,
      `{"result":${'['.repeat(100)}${']'.repeat(100)}}`,
      { kind: 'invalid', code: 'agent_answer_invalid' },
    ],
    [301, '', { kind: 'not-accepted', isBusy: false }],
    [400, error, { kind: 'not-accepted', isBusy: false }],
    [401, error, { kind: 'unauthorized' }],
    [403, '', { kind: 'not-accepted' }],
    [404, '<html>', { kind: 'not-accepted' }],
    [405, '', { kind: 'not-accepted' }],
    [409, { code: 'loop_detected' }, { kind: 'refused', code: 'loop_detected', status: 409 }],
    [
      409,
      { error: { data: { code: 'message_id_conflict' } } },
      { kind: 'refused', code: 'message_id_conflict' },
    ],
    [409, { code: 'conflict' }, { kind: 'not-accepted' }],
    [429, '', { kind: 'not-accepted', isBusy: true, retryAfterMs: undefined }],
    [500, error, { kind: 'in-doubt' }],
    [502, '', { kind: 'in-doubt' }],
    [503, { code: 'not_accepting' }, { kind: 'not-accepted', isBusy: true }],
    [504, '', { kind: 'in-doubt' }],
  ])('%i %j', (status, body, expected) => expect(respond(status, body)).toMatchObject(expected));

  it('one that is too large is invalid, and Retry-After is read where the peer is busy', () => {
    expect(respond(200, answer, {}, true)).toEqual({ kind: 'invalid', code: 'agent_answer_too_large' });
    expect(respond(503, '', { 'retry-after': '7' })).toMatchObject({ retryAfterMs: 7_000 });
    expect(respond(404, '', { 'retry-after': '7' })).toEqual({ kind: 'not-accepted', isBusy: false });
  });
});

describe('what a failed exchange means', () => {
  const connection = (delivered: 'no' | 'unknown') =>
    new ConnectionError('failed', { origin: 'http://peer', delivered });

  it('depends on whether the request was sent', () => {
    expect(outcomeOfFailure(connection('no'))).toEqual({ kind: 'not-sent' });
    expect(outcomeOfFailure(connection('unknown'))).toEqual({ kind: 'in-doubt' });
    expect(outcomeOfFailure(new TimeoutError('late', { timeoutMs: 1, delivered: 'no' }))).toEqual({
      kind: 'not-sent',
    });
    expect(outcomeOfFailure(new TimeoutError('late', { timeoutMs: 1 }))).toEqual({ kind: 'in-doubt' });
  });

  it('an abort and a closed client are not outcomes', () => {
    expect(outcomeOfFailure(new Error('aborted'))).toBeUndefined();
    expect(outcomeOfFailure(new MoleculeError('closed', { code: 'client_closed' }))).toBeUndefined();
  });
});
