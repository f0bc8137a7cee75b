import { describe, expect, it } from 'vitest';
import { HeartbeatStage, IDLE } from '../../test/heartbeat-stage.ts';
import { hanging, refused, unreachable } from '../../test/presence-double.ts';
import { ApiError } from '../errors/api-error.ts';
import { heartbeatRetryDelayMs } from './heartbeat-loop.ts';

describe('heartbeat interval', () => {
  it.each([
    [0, 3_000, 27_000],
    [0.5, 16_500, 28_500],
    [1, 30_000, 30_000],
  ])(
    'with random number %d: the second heartbeat after %d ms, then one every %d ms',
    async (number, first, expected) => {
      const stage = await new HeartbeatStage({ random: () => number }).start();
      await stage.clock.advance(first + expected * 3);
      expect(stage.port.times).toEqual([0, ...[0, 1, 2, 3].map((count) => first + count * expected)]);
      await stage.stop();
    },
  );

  it('a heartbeat times out after 10 s and is retried after 2, 5 and 10 s', async () => {
    const stage = new HeartbeatStage();
    stage.port.onHeartbeat = hanging;
    await stage.start();
    await stage.clock.advance(9_999);
    expect(stage.loop.consecutiveFailures).toBe(0);
    await stage.clock.advance(1);
    expect(stage.loop.consecutiveFailures).toBe(1);
    await stage.clock.advance(50_000);
    expect(stage.port.times).toEqual([0, 12_000, 27_000, 47_000]);
    expect(stage.port.mostAtOnce).toBe(1);
    await stage.stop();
  });

  it('a heartbeat that ignores its signal does not block the loop', async () => {
    const stage = new HeartbeatStage();
    stage.port.onHeartbeat = () => new Promise(() => {});
    await stage.start();
    await stage.clock.advance(12_000);
    expect(stage.port.times).toEqual([0, 12_000]);
    expect(await stage.stop()).toBe('stopped');
  });

  it('is never longer than 30 s, whatever the Retry-After', async () => {
    const stage = new HeartbeatStage();
    stage.port.onHeartbeat = () => {
      throw new ApiError('Later.', {
        status: 503,
        code: 'platform_unavailable',
        method: 'POST',
        path: '/registry/heartbeat',
        isRetryable: true,
        retryAfterMs: 600_000,
      });
    };
    await stage.start();
    await stage.clock.advance(300_000);
    const gaps = stage.port.times.slice(1).map((at, index) => at - (stage.port.times[index] ?? 0));
    expect(new Set(gaps)).toEqual(new Set([30_000]));
    await stage.stop();
  });

  it('the loop ends immediately with the signal: during the interval, a retry pause, a request, and before the first heartbeat', async () => {
    const asleep = await new HeartbeatStage().start();
    expect(await asleep.stop()).toBe('stopped');
    const retrying = new HeartbeatStage();
    retrying.port.goDown();
    await retrying.start();
    expect(await retrying.stop()).toBe('stopped');
    const calling = new HeartbeatStage();
    calling.port.onHeartbeat = hanging;
    await calling.start();
    expect(await calling.stop()).toBe('stopped');
    const early = new HeartbeatStage();
    early.abort.abort();
    await early.start();
    expect(await early.end).toBe('stopped');
    expect(early.port.heartbeats).toEqual([]);
    await early.loop.firstRound;
    for (const { clock, changes, logger } of [asleep, retrying, calling, early]) {
      expect(clock.pending).toBe(0);
      expect(changes.at(-1)).toBe('stopped');
      expect(logger.messages('error')).toEqual([]);
    }
  });
});

describe('metrics', () => {
  it('changes cause at most one heartbeat in two seconds', async () => {
    const stage = await new HeartbeatStage().start();
    for (let count = 1; count <= 100; count += 1) {
      stage.metrics = { ...IDLE, activeTasks: count };
      stage.loop.metricsChanged();
      await stage.clock.advance(100);
    }
    expect(stage.port.times).toEqual([0, 2_000, 4_000, 6_000, 8_000, 10_000]);
    await stage.stop();
  });
});

describe('timing rules', () => {
  it('retries after 2, 5, 10, 20, 30, 30 s, minus up to 10 %', () => {
    expect([1, 2, 3, 4, 5, 6].map((failures) => heartbeatRetryDelayMs(failures, undefined, () => 1))).toEqual(
      [2_000, 5_000, 10_000, 20_000, 30_000, 30_000],
    );
    expect(heartbeatRetryDelayMs(1, undefined, () => 0)).toBe(1_800);
    expect(heartbeatRetryDelayMs(0, unreachable(), () => 1)).toBe(2_000);
    expect(heartbeatRetryDelayMs(3, refused(404, 'routing_problem'), () => 0)).toBe(9_000);
  });
});
