import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { PresenceDouble, removed } from '../../test/presence-double.ts';
import { RecordingLogger } from '../../test/recording-logger.ts';
import { type HeartbeatLoopRunOptions, runHeartbeatLoop, type TaskReport } from './run-heartbeat-loop.ts';

class LoopClient extends PresenceDouble {
  readonly logger = new RecordingLogger();
  declare readonly clock: ManualClock;

  constructor() {
    super(new ManualClock());
  }
}

function run(client: LoopClient, options: HeartbeatLoopRunOptions = {}) {
  return runHeartbeatLoop(client, { random: () => 1, ...options });
}

describe('runHeartbeatLoop', () => {
  it('resolves with paused, removed or revoked', async () => {
    const paused = new LoopClient();
    paused.comeBack({ paused: true });
    expect(await run(paused)).toBe('paused');
    const gone = new LoopClient();
    gone.onHeartbeat = () => Promise.reject(removed());
    expect(await run(gone)).toBe('removed');
    const revoked = new LoopClient();
    revoked.refuse();
    const running = run(revoked);
    await revoked.clock.advance(7_000);
    expect(await running).toBe('revoked');
    for (const { clock } of [paused, gone, revoked]) expect(clock.pending).toBe(0);
  });

  it('resolves with stopped when the signal aborts, before or later; an outage does not end it', async () => {
    const early = new LoopClient();
    expect(await run(early, { signal: AbortSignal.abort() })).toBe('stopped');
    expect(early.heartbeats).toEqual([]);
    const client = new LoopClient();
    client.goDown();
    const abort = new AbortController();
    const running = run(client, { signal: abort.signal });
    await client.clock.advance(600_000);
    abort.abort();
    expect(await running).toBe('stopped');
    expect(client.clock.pending).toBe(0);
  });

  it('sends the previous report again when taskSupplier throws', async () => {
    const client = new LoopClient();
    const abort = new AbortController();
    const reports: (() => TaskReport)[] = [
      () => ({ currentTask: 'reading', activeTasks: 2 }),
      () => {
        throw new Error('not now');
      },
      () => ({}),
    ];
    const taskSupplier = (): TaskReport => (reports.shift() ?? (() => ({})))();
    const running = run(client, { signal: abort.signal, taskSupplier });
    await client.clock.advance(60_000);
    expect(
      client.heartbeats.map(({ metrics }) => [
        metrics.currentTask,
        metrics.activeTasks,
        metrics.uptimeSeconds,
      ]),
    ).toEqual([
      ['reading', 2, 0],
      ['reading', 2, 30],
      ['', 0, 60],
    ]);
    expect(client.logger.messages('warn')).toEqual([
      'taskSupplier failed; the previous report is sent again.',
    ]);
    abort.abort();
    await running;
  });

  it.each<[string, unknown, [string, number]]>([
    ['a fraction', { activeTasks: 2.7 }, ['', 2]],
    ['a negative count', { activeTasks: -1 }, ['', 0]],
    ['no number', { activeTasks: 'many', currentTask: 7 }, ['7', 0]],
    ['infinity', { activeTasks: Number.POSITIVE_INFINITY }, ['', 0]],
    ['a symbol', { activeTasks: Symbol('x') }, ['', 0]],
    ['null', null, ['', 0]],
    ['a text that throws', { currentTask: Object.create(null) }, ['', 0]],
  ])('a report with %s does not stop the heartbeats', async (_name, report, expected) => {
    const client = new LoopClient();
    const abort = new AbortController();
    const running = run(client, { signal: abort.signal, taskSupplier: () => report as TaskReport });
    await client.clock.advance(30_000);
    const seen = client.heartbeats.map(({ metrics }) => [metrics.currentTask, metrics.activeTasks]);
    expect(seen).toEqual([expected, expected]);
    abort.abort();
    expect(await running).toBe('stopped');
  });

  it.each([0, 999, 30_001, Number.NaN, Number.POSITIVE_INFINITY])(
    'refuses an interval of %d ms',
    async (heartbeatIntervalMs) => {
      await expect(run(new LoopClient(), { heartbeatIntervalMs })).rejects.toMatchObject({
        code: 'configuration_invalid',
        message: expect.stringContaining('heartbeatIntervalMs'),
      });
    },
  );
});
