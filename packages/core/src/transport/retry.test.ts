import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { PEER, SELF } from '../../test/agent-ids.ts';
import type { ScriptedResponse } from '../../test/scripted-server.ts';
import { operatorStage, stage } from '../../test/test-client.ts';
import { ApiError } from '../errors/api-error.ts';

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

describe('the retry vectors', () => {
  it.each(vectors.cases.map((vector) => [vector.id, vector] as const))('%s', async (id, vector) => {
    await using s = await stage(vector.responses.map(responseOf), {
      limits: { maxRetries: vector.max_retries },
    });
    const outcome = await s.client.getPeers().then(
      () => 200,
      (error: unknown) => (ApiError.isInstance(error) ? error.status : 'network'),
    );
    const expected = better[id] ?? {
      attempts: vector.attempts,
      delays: vector.delays_ms.map((delay) => delay.without_jitter),
      final: vector.final_status ?? 200,
    };
    expect({ attempts: s.server.requests.length, delays: s.clock.sleeps, final: outcome }).toEqual(expected);
  });
});

describe('retries', () => {
  it('have a jitter of 25 %', async () => {
    for (const [random, delays] of [
      [0, [750, 1500, 3000]],
      [1, [1250, 2500, 5000]],
    ] as const) {
      await using s = await stage({ status: 429 }, { connection: { random: () => random } });
      await expect(s.client.getPeers()).rejects.toMatchObject({ code: 'rate_limited' });
      expect(s.clock.sleeps).toEqual(delays);
    }
  });

  it('end with a Retry-After that is too long, from header, date or body', async () => {
    const clockNow = Date.UTC(2026, 0, 1);
    for (const response of [
      { status: 429, headers: { 'retry-after': '120' } },
      { status: 503, headers: { 'retry-after': new Date(clockNow + 120_000).toUTCString() } },
      { status: 429, body: { error: 'rate limit exceeded', retry_after: 120 } },
    ]) {
      await using s = await stage(response);
      await expect(s.client.getPeers()).rejects.toMatchObject({ isRetryable: true, retryAfterMs: 120_000 });
      expect(s.server.requests).toHaveLength(1);
    }
  });

  it('honour Retry-After, as seconds or date, without jitter', async () => {
    const script: ScriptedResponse[] = [
      { status: 504, headers: { 'retry-after': '3' } },
      { status: 429, headers: { 'retry-after': new Date(Date.UTC(2026, 0, 1) + 8_000).toUTCString() } },
      { body: [] },
    ];
    await using s = await stage(script, { connection: { random: () => 0.9 } });
    await s.client.getPeers();
    expect(s.clock.sleeps).toEqual([3000, 5000]);
  });

  it('of which the last could not connect, after one that may have arrived: delivered is unknown', async () => {
    const server = createServer((socket) =>
      socket.once('data', () => {
        server.close();
        socket.destroy();
      }),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const platformUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using s = await stage([], { platformUrl });
    const error = { code: 'connection_failed', delivered: 'unknown' };
    await expect(s.client.getPeers()).rejects.toMatchObject(error);
    expect(s.clock.sleeps).toEqual([1000, 2000, 4000]);
  });

  it.each<[string, ScriptedResponse]>([
    ['has a final code', { status: 429, body: { error: 'maximum 50 active tokens', code: 'token_limit' } }],
    [
      'was delivered',
      { status: 502, body: { error: 'failed to read agent response', delivery_confirmed: true } },
    ],
    ['failed with 500', { status: 500 }],
    ['failed with 501', { status: 501 }],
  ])('are not made for a request that %s', async (_name, response) => {
    await using s = await stage(response);
    await expect(s.client.getPeers()).rejects.toThrow();
    expect(s.server.requests).toHaveLength(1);
  });

  it.each<ScriptedResponse>([{ status: 503 }, 'reset'])(
    'are not made for a request that is not repeatable: %j',
    async (response) => {
      await using s = await operatorStage(response);
      await expect(s.client.pause(SELF)).rejects.toThrow();
      expect(s.server.requests).toHaveLength(1);
    },
  );

  it('end with an abort between two attempts', async () => {
    await using s = await stage({ status: 503 });
    const abort = new AbortController();
    s.clock.sleep = async () => {
      abort.abort('stop');
      throw abort.signal.reason;
    };
    await expect(s.client.getPeers({ signal: abort.signal })).rejects.toBe('stop');
    expect(s.server.requests).toHaveLength(1);
  });

  it('respect the total time limit', async () => {
    await using s = await stage({ status: 503 });
    await expect(s.client.callPeer(PEER, 'hello', { timeoutMs: 4_000 })).rejects.toMatchObject({
      status: 503,
    });
    expect(s.clock.sleeps).toEqual([1000, 2000]);
  });
});
