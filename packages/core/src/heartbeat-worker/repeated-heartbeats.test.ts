import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { RepeatedHeartbeats } from './repeated-heartbeats.ts';
import type { ExchangeEnd, HeartbeatToSend, KeptHeartbeat, RepeatedHeartbeat } from './worker-messages.ts';

const OK = respond(200);
const KEPT: KeptHeartbeat = {
  origin: 'http://127.0.0.1:1',
  proxy: null,
  path: '/registry/heartbeat',
  headers: { authorization: 'Bearer one', 'content-type': 'application/json' },
  body: '{"active_tasks":1,"runtime_state":""}',
  intervalMs: 30_000,
  maxBlockMs: 300_000,
};

function respond(status: number): ExchangeEnd {
  return { kind: 'response', status, headers: {}, body: new Uint8Array() };
}

/** The repetitions, with a main thread that responds to pings unless it is blocked. */
class Stage {
  readonly clock = new ManualClock();
  readonly sent: (HeartbeatToSend & { at: number; state: unknown })[] = [];
  readonly reports: RepeatedHeartbeat[] = [];
  pings = 0;
  isBlocked = false;
  ends: ExchangeEnd | null = OK;
  canceled = 0;
  readonly repeated = new RepeatedHeartbeats({
    clock: this.clock,
    send: (heartbeat, onEnd) => {
      const { runtime_state: state } = JSON.parse(heartbeat.body) as { runtime_state: unknown };
      this.sent.push({ ...heartbeat, at: this.clock.monotonic(), state });
      const { ends } = this;
      if (ends !== null) this.clock.setTimer(100, () => onEnd(ends));
      return () => {
        this.canceled += 1;
      };
    },
    post: (message) => {
      if (message.type === 'repeated') this.reports.push(message.heartbeat);
      if (message.type !== 'ping') return;
      this.pings += 1;
      if (!this.isBlocked) this.repeated.mainResponded();
    },
  });

  /** Runs for a time; the main thread sends a heartbeat every 30 s while it is not blocked. */
  async run(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }

  block(): this {
    this.isBlocked = true;
    return this;
  }

  get times(): number[] {
    return this.sent.map(({ at }) => at);
  }
}

describe('repeated heartbeats', () => {
  it('none while the main thread sends them itself', async () => {
    const stage = new Stage();
    for (let count = 0; count < 10; count += 1) {
      stage.repeated.mainResponded();
      stage.repeated.keep('1', KEPT);
      await stage.run(30_000);
    }
    expect(stage.sent).toEqual([]);
  });

  it('none while the main thread runs and waits after a failure', async () => {
    const stage = new Stage();
    stage.repeated.keep('1', { ...KEPT, intervalMs: 1_000 });
    await stage.run(120_000);
    expect(stage.sent).toEqual([]);
  });

  it('at most 35 s lie between two heartbeats of a blocked main thread', async () => {
    for (const [start, intervalMs] of [
      [0, 30_000],
      [7_000, 27_000],
      [14_999, 30_000],
    ] as const) {
      const stage = new Stage();
      stage.repeated.keep('1', { ...KEPT, intervalMs });
      await stage.run(start);
      await stage.block().run(290_000);
      const gaps = stage.times.map((at, index) => at - (stage.times[index - 1] ?? 0));
      expect(Math.max(...gaps)).toBeLessThan(33_000);
      expect(gaps.length).toBeGreaterThanOrEqual(9);
      expect(stage.sent[0]).toMatchObject({ headers: KEPT.headers, body: KEPT.body, path: KEPT.path });
    }
  });

  it('a main thread that runs again ends them', async () => {
    const stage = new Stage().block();
    stage.repeated.keep('1', KEPT);
    await stage.run(100_000);
    expect(stage.sent).toHaveLength(3);
    stage.isBlocked = false;
    stage.repeated.mainResponded();
    await stage.run(100_000);
    expect(stage.sent).toHaveLength(3);
  });

  it.each([300_000, 60_000, 5_000])('wedged after %d ms, once, and from then on', async (maxBlockMs) => {
    const stage = new Stage();
    stage.repeated.keep('1', { ...KEPT, maxBlockMs });
    await stage.block().run(maxBlockMs);
    expect(stage.sent.filter(({ state }) => state === 'wedged')).toEqual([]);
    await stage.run(31_000);
    const wedged = stage.sent.filter(({ state }) => state === 'wedged');
    expect(wedged.length).toBeGreaterThanOrEqual(1);
    expect(JSON.parse(wedged[0]?.body ?? '')).toEqual({
      active_tasks: 1,
      runtime_state: 'wedged',
      sample_error: expect.stringMatching(/^A handler has blocked the event loop for \d+ s\.$/),
    });
    expect(stage.sent.at(-1)?.state).toBe('wedged');
    expect(stage.reports.at(-1)).toMatchObject({ status: 200, isWedged: true });
    await stage.run(300_000);
    const gaps = stage.times.map((at, index) => at - (stage.times[index - 1] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(33_000);
    stage.repeated.mainResponded();
    stage.isBlocked = false;
    stage.repeated.keep('1', KEPT);
    await stage.block().run(35_000);
    expect(stage.sent.at(-1)?.state).toBe('');
  });

  it('a suspended process is not wedged', async () => {
    const stage = new Stage().block();
    stage.repeated.keep('1', KEPT);
    await stage.run(16_000);
    // The clock goes on while no timer runs; afterwards all that are due run late.
    const resumed = stage.clock.monotonic() + 3_600_000;
    const real = stage.clock.monotonic.bind(stage.clock);
    stage.clock.monotonic = () => Math.max(real(), resumed) + (real() - 16_000);
    await stage.run(15_000);
    expect(stage.sent.filter(({ state }) => state === 'wedged')).toEqual([]);
  });

  it('a new token replaces the one that is repeated', async () => {
    const stage = new Stage();
    stage.repeated.keep('1', KEPT);
    stage.repeated.authorize('1', 'Bearer two');
    stage.repeated.authorize('2', 'Bearer of nobody');
    await stage.block().run(35_000);
    expect(stage.sent.map(({ headers }) => headers)).toEqual([
      { authorization: 'Bearer two', 'content-type': 'application/json' },
    ]);
  });

  it.each([
    ['three 401', respond(401), 3],
    ['a 410', respond(410), 1],
  ])('none after %s, until the main thread sends one', async (_name, ends, expected) => {
    const stage = new Stage().block();
    stage.ends = ends;
    stage.repeated.keep('1', KEPT);
    await stage.run(900_000);
    expect(stage.sent).toHaveLength(expected);
    stage.ends = OK;
    stage.repeated.keep('1', KEPT);
    await stage.run(35_000);
    expect(stage.sent).toHaveLength(expected + 1);
  });

  it('one that fails is repeated after 5 s', async () => {
    const stage = new Stage().block();
    stage.ends = { kind: 'error', code: 'ECONNREFUSED', name: 'Error', message: '' };
    stage.repeated.keep('1', KEPT);
    await stage.run(41_000);
    const gaps = stage.times.slice(1).map((at, index) => at - (stage.times[index] ?? 0));
    expect(gaps).toEqual([5_000, 5_000]);
    expect(stage.reports[0]).toMatchObject({ status: null, isWedged: false });
  });

  it('an agent that left is forgotten, with what is being sent; then nothing remains', async () => {
    const stage = new Stage().block();
    stage.ends = null;
    stage.repeated.keep('1', KEPT);
    await stage.run(35_000);
    expect(stage.sent).toHaveLength(1);
    stage.repeated.forget('1');
    stage.repeated.forget('2');
    expect(stage.canceled).toBe(1);
    await stage.run(120_000);
    expect(stage.sent).toHaveLength(1);
    expect(stage.clock.pending).toBe(0);
  });
});
