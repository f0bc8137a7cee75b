import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type ScriptedResponse, ScriptedServer } from '../../test/scripted-server.ts';
import { testTransport } from '../../test/test-transport.ts';
import { ApiError } from '../errors/api-error.ts';
import type { PlatformRequest } from './platform-request.ts';

interface Step {
  status?: number;
  retry_after?: string;
  network_error?: boolean;
}
interface Vector {
  id: string;
  responses: Step[];
  max_retries?: number;
  attempts: number;
  delays_ms: { without_jitter: number }[];
  final_status?: number;
}
interface Expected {
  attempts: number;
  delays: number[];
  final?: number | 'network';
}

const vectors = JSON.parse(
  readFileSync(new URL('../../../../test/vectors/retry.json', import.meta.url), 'utf8'),
) as { cases: Vector[] };

const asAbsent: Expected = { attempts: 2, delays: [1000], final: 200 };
const threeRetries = { attempts: 4, delays: [1000, 2000, 4000] };

/** Vectors for which this client deliberately differs from the Python SDK: docs/decisions/0018-retries.md. */
const better: Record<string, Expected> = {
  'retry-after-120': { attempts: 1, delays: [], final: 429 },
  'retry-after-0': asAbsent,
  'retry-after-negative-fraction': asAbsent,
  'retry-after-abc': asAbsent,
  'retry-after-empty': asAbsent,
  'retry-after-nan': asAbsent,
  'retry-after-inf': asAbsent,
  'no-retry-502': { ...threeRetries, final: 502 },
  'no-retry-503': { ...threeRetries, final: 503 },
  '503-with-retry-after': { attempts: 4, delays: [15000, 15000, 15000], final: 503 },
  '429-then-network-error': { ...threeRetries, final: 'network' },
  mixed: { attempts: 3, delays: [2000, 2000], final: 429 },
};

function responseOf({ status, retry_after, network_error }: Step): ScriptedResponse {
  if (network_error === true) return 'reset';
  return {
    status: status ?? 200,
    headers: retry_after === undefined ? {} : { 'retry-after': retry_after },
    body: {},
  };
}

const read: PlatformRequest = { method: 'GET', path: '/x', isRepeatable: true, timeoutMs: 5_000 };

describe('the retry vectors', () => {
  it.each(vectors.cases.map((vector) => [vector.id, vector] as const))('%s', async (id, vector) => {
    await using server = await ScriptedServer.start(...vector.responses.map(responseOf));
    await using made = testTransport(server.url, { maxRetries: vector.max_retries });
    const outcome = await made.transport.send(read).then(
      (response) => response.status,
      (error: unknown) => (ApiError.isInstance(error) ? error.status : 'network'),
    );
    const expected = better[id] ?? {
      attempts: vector.attempts,
      delays: vector.delays_ms.map((delay) => delay.without_jitter),
      final: vector.final_status ?? 200,
    };
    expect({ attempts: server.requests.length, delays: made.clock.sleeps, final: outcome }).toEqual(expected);
  });
});

describe('retries', () => {
  it('have a jitter of 25 %', async () => {
    for (const [random, delays] of [
      [0, [750, 1500, 3000]],
      [1, [1250, 2500, 5000]],
    ] as const) {
      await using server = await ScriptedServer.start({ status: 429 });
      await using made = testTransport(server.url, { random: () => random });
      await expect(made.transport.send(read)).rejects.toMatchObject({ code: 'rate_limited' });
      expect(made.clock.sleeps).toEqual(delays);
    }
  });

  it('end with a Retry-After that is too long, from header, date or body', async () => {
    const clockNow = Date.UTC(2026, 0, 1);
    for (const response of [
      { status: 429, headers: { 'retry-after': '120' } },
      { status: 503, headers: { 'retry-after': new Date(clockNow + 120_000).toUTCString() } },
      { status: 429, body: { error: 'rate limit exceeded', retry_after: 120 } },
    ]) {
      await using server = await ScriptedServer.start(response);
      await using made = testTransport(server.url);
      await expect(made.transport.send(read)).rejects.toMatchObject({
        isRetryable: true,
        retryAfterMs: 120_000,
      });
      expect(server.requests).toHaveLength(1);
    }
  });

  it('honour Retry-After, as seconds or date, without jitter', async () => {
    await using server = await ScriptedServer.start(
      { status: 504, headers: { 'retry-after': '3' } },
      { status: 429, headers: { 'retry-after': new Date(Date.UTC(2026, 0, 1) + 8_000).toUTCString() } },
      { body: {} },
    );
    await using made = testTransport(server.url, { random: () => 0.9 });
    await made.transport.send(read);
    expect(made.clock.sleeps).toEqual([3000, 5000]);
  });

  it('are not made for requests that are not repeatable, timed out, aborted or final', async () => {
    const final = { status: 429, body: { error: 'maximum 50 active tokens', code: 'token_limit' } };
    const cases: [ScriptedResponse, Partial<PlatformRequest>][] = [
      [{ status: 503 }, { isRepeatable: false }],
      ['reset', { isRepeatable: false }],
      ['hang', { timeoutMs: 30 }],
      [final, {}],
      [{ status: 502, body: { error: 'failed to read agent response', delivery_confirmed: true } }, {}],
      [{ status: 500 }, {}],
      [{ status: 501 }, {}],
    ];
    for (const [response, change] of cases) {
      await using server = await ScriptedServer.start(response);
      await using made = testTransport(server.url);
      await expect(made.transport.send({ ...read, ...change })).rejects.toThrow();
      expect(server.requests).toHaveLength(1);
    }
  });

  it('end with an abort between two attempts', async () => {
    await using server = await ScriptedServer.start({ status: 503 });
    await using made = testTransport(server.url);
    const abort = new AbortController();
    made.clock.sleep = async () => {
      abort.abort('stop');
      throw abort.signal.reason;
    };
    await expect(made.transport.send({ ...read, signal: abort.signal })).rejects.toBe('stop');
    expect(server.requests).toHaveLength(1);
  });

  it('respect the total time limit', async () => {
    await using server = await ScriptedServer.start({ status: 503 });
    await using made = testTransport(server.url);
    await expect(made.transport.send({ ...read, totalTimeoutMs: 4_000 })).rejects.toMatchObject({
      status: 503,
    });
    expect(made.clock.sleeps).toEqual([1000, 2000]);
  });

  it('send the same body', async () => {
    await using server = await ScriptedServer.start({ status: 502 }, 'reset', { body: { ok: true } });
    await using made = testTransport(server.url);
    const response = await made.transport.send({ ...read, method: 'POST', body: { messageId: 'm1' } });
    expect(response.body).toEqual({ ok: true });
    expect(server.requests.map((request) => request.rawBody)).toEqual(Array(3).fill('{"messageId":"m1"}'));
  });
});
