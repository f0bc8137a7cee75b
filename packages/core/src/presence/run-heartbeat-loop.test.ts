import { describe, expect, it } from 'vitest';
import type { ScriptedResponse } from '../../test/scripted-server.ts';
import { type ClientStage, stage } from '../../test/test-client.ts';
import type { LoopOutcome } from './presence-machine.ts';
import type { HeartbeatLoopRunOptions, TaskReport } from './run-heartbeat-loop.ts';

const online: ScriptedResponse = { body: { status: 'ok', workspace_status: 'online', paused: false } };

/** Each pause is the longest one. */
const latest = { connection: { random: () => 1 } };

function run({ client }: ClientStage, options: HeartbeatLoopRunOptions = {}): Promise<LoopOutcome> {
  return client.runHeartbeatLoop(options);
}

/** Runs the loop for `count` requests; returns what the heartbeats reported. */
async function heartbeats(
  s: ClientStage,
  count: number,
  taskSupplier: () => TaskReport,
): Promise<unknown[][]> {
  const abort = new AbortController();
  const running = run(s, { signal: abort.signal, taskSupplier });
  await s.server.waitForRequests(count);
  abort.abort();
  expect(await running).toBe('stopped');
  const reports = s.server.requests.map(({ body }) => body as Record<string, unknown>);
  return reports
    .slice(0, count)
    .map((report) => [report.current_task, report.active_tasks, report.uptime_seconds]);
}

describe('runHeartbeatLoop', () => {
  it('resolves with stopped when the signal is already aborted, without a request', async () => {
    await using s = await stage(online, latest);
    expect(await run(s, { signal: AbortSignal.abort() })).toBe('stopped');
    expect(s.server.requests).toEqual([]);
  });

  it('resolves with stopped when the signal aborts later; an outage does not end it', async () => {
    await using s = await stage('reset', { ...latest, limits: { maxRetries: 0 } });
    const abort = new AbortController();
    const running = run(s, { signal: abort.signal });
    await s.server.waitForRequests(20);
    abort.abort();
    expect(await running).toBe('stopped');
    expect(s.clock.sleeps.slice(0, 6)).toEqual([2_000, 5_000, 10_000, 20_000, 30_000, 30_000]);
  });

  it('sends the previous report again when taskSupplier throws', async () => {
    await using s = await stage(online, latest);
    const reports: (() => TaskReport)[] = [
      () => ({ currentTask: 'reading', activeTasks: 2 }),
      () => {
        throw new Error('not now');
      },
    ];
    expect(await heartbeats(s, 3, () => (reports.shift() ?? (() => ({})))())).toEqual([
      ['reading', 2, 0],
      ['reading', 2, 30],
      ['', 0, 60],
    ]);
    expect(s.logger.messages('warn')).toEqual(['taskSupplier failed; the previous report is sent again.']);
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
    await using s = await stage(online, latest);
    expect(await heartbeats(s, 2, () => report as TaskReport)).toEqual([
      [...expected, 0],
      [...expected, 30],
    ]);
    expect(s.server.contractProblems()).toEqual([]);
  });

  it.each([0, 999, 30_001, Number.NaN, Number.POSITIVE_INFINITY])(
    'refuses an interval of %d ms',
    async (heartbeatIntervalMs) => {
      await using s = await stage([], latest);
      await expect(run(s, { heartbeatIntervalMs })).rejects.toMatchObject({
        code: 'configuration_invalid',
        message: expect.stringContaining('heartbeatIntervalMs'),
      });
    },
  );
});
