import { expect, it } from 'vitest';
import { CLIENT_PORT } from '../client/client-port.ts';
import { ApiError } from '../errors/api-error.ts';
import { ConnectionError, TimeoutError } from '../errors/connection-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { mayHaveArrived, RepeatedCalls } from './repeated-calls.ts';

let now = 0;
const client = { [CLIENT_PORT]: { clock: { monotonic: () => now } } } as never;
const lost = new ConnectionError('lost', { origin: 'http://p', delivered: 'unknown' });
const refused = new ConnectionError('refused', { origin: 'http://p', delivered: 'no' });
const fail = (error: unknown) => () => Promise.reject(error);
const idOf = (turn: number) => `turn-${turn}`;

it('repeats a call that may have arrived, once, for ten minutes', async () => {
  const calls = new RepeatedCalls(client);
  const first = calls.begin('key', { idOf });
  await expect(calls.run(first, fail(lost))).rejects.toBe(lost);
  expect(calls.begin('other', { idOf }).messageId).not.toBe(first.messageId);
  const second = calls.begin('key', { idOf });
  expect(second.messageId).toBe(first.messageId);
  await calls.run(second, async () => 'answer');
  const third = calls.begin('key', { idOf });
  expect(third.messageId).not.toBe(first.messageId);
  await expect(calls.run(third, fail(lost))).rejects.toBe(lost);
  now += 600_000;
  expect(calls.begin('key', { idOf }).messageId).not.toBe(third.messageId);
});

it('is a new call after one that did not arrive, or was aborted', async () => {
  const calls = new RepeatedCalls(client);
  const first = calls.begin('key', { idOf });
  await expect(calls.run(first, fail(refused))).rejects.toBe(refused);
  expect(calls.begin('key', { idOf }).messageId).not.toBe(first.messageId);
  const aborted = calls.begin('key', { idOf, signal: AbortSignal.abort() });
  await expect(calls.run(aborted, fail(lost))).rejects.toBe(lost);
  expect(calls.begin('key', { idOf }).messageId).not.toBe(aborted.messageId);
});

it('keeps what failed when another call that asks the same ends meanwhile', async () => {
  const calls = new RepeatedCalls(client);
  const [failed, answered] = [calls.begin('key', { idOf }), calls.begin('key', { idOf })];
  expect(answered.messageId).not.toBe(failed.messageId);
  await expect(calls.run(failed, fail(lost))).rejects.toBe(lost);
  await calls.run(answered, async () => 'answer');
  expect(calls.begin('key', { idOf }).messageId).toBe(failed.messageId);
});

it('waits on for a message that has not ended', () => {
  const calls = new RepeatedCalls(client);
  const first = calls.begin('key', { idOf });
  calls.keep(first);
  expect(calls.begin('key', { idOf }).messageId).toBe(first.messageId);
});

it('counts calls in an attempt; the same ones have the same ids in the next, whichever failed', async () => {
  const calls = new RepeatedCalls(client);
  const ids = (attempt: object, count: number) =>
    Array.from({ length: count }, () => calls.begin('key', { attempt, idOf }).messageId);
  const attempt = {};
  expect(ids(attempt, 1)).toEqual(['turn-0']);
  const second = calls.begin('key', { attempt, idOf });
  await expect(calls.run(second, fail(refused))).rejects.toBe(refused);
  const repeat = calls.begin('key', { attempt, idOf });
  expect(repeat.messageId).toBe('turn-1');
  await calls.run(repeat, async () => 'answer');
  expect(ids(attempt, 1)).toEqual(['turn-2']);

  await expect(calls.run(calls.begin('key', { attempt, idOf }), fail(lost))).rejects.toBe(lost);
  expect(ids({}, 3)).toEqual(['turn-0', 'turn-1', 'turn-2']);
});

it('repeats in the next attempt what has no id of its own', async () => {
  const calls = new RepeatedCalls(client);
  const none = () => undefined;
  const first = calls.begin('key', { attempt: {}, idOf: none });
  await expect(calls.run(first, fail(lost))).rejects.toBe(lost);
  expect(calls.begin('key', { attempt: {}, idOf: none }).messageId).toBe(first.messageId);
});

it('gives a hint that names the repeat instead of a method of the client', async () => {
  const calls = new RepeatedCalls(client);
  const hint = "The peer may still answer: waitForAnswer('m1'), or call again with this messageId.";
  const call = calls.begin('key', { idOf });
  for (const error of [
    new TimeoutError('late', { timeoutMs: 5, hint }),
    new ConnectionError('lost', { origin: 'http://p', delivered: 'unknown', hint }),
  ]) {
    await expect(calls.run(call, fail(error))).rejects.toMatchObject({
      name: error.name,
      hint: 'The peer may still answer; the same call again sends the same message.',
    });
  }
});

it('knows what may have arrived', () => {
  const response = (status: number, platformCode?: string) =>
    new ApiError('no', { code: 'platform_error', status, platformCode, method: 'POST', path: '/' });
  const arrived = [
    lost,
    new TimeoutError('late', { timeoutMs: 5 }),
    response(503),
    new Error('bug'),
    // A response that is too large, a redirect, and errors of a gateway.
    ...[200, 302, 404, 408, 429].map((status) => response(status)),
    response(404, 'NoSuchRoute'),
    response(413, 'agent_answer_too_large'),
    response(502, 'agent_answer_invalid'),
  ];
  for (const error of arrived) expect(mayHaveArrived(error), String(error)).toBe(true);
  const wrong = new MoleculeError('wrong', { code: 'invalid_argument' });
  expect(
    [refused, response(429, 'rate_limited'), response(403, 'access_denied'), wrong].map(mayHaveArrived),
  ).toEqual([false, false, false, false]);
});
