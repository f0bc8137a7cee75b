import { afterEach, describe, expect, it, vi } from 'vitest';
import { AgentClientDouble } from '../../test/agent-stage.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { recordingLogger } from '../testing/recording-logger.ts';
import { resolveRemoteAgentOptions } from './agent-options.ts';
import { AgentReport } from './agent-report.ts';
import { AgentWatch } from './watch.ts';

/** Its timers run late after `suspend`. */
class SuspendedClock extends ManualClock {
  #suspendedMs = 0;

  override monotonic(): number {
    return super.monotonic() + this.#suspendedMs;
  }

  suspend(ms: number): void {
    this.#suspendedMs += ms;
  }
}

function watch({
  afterMs = 300_000,
  stop = async () => {},
}: {
  afterMs?: number;
  stop?: () => Promise<void>;
} = {}) {
  const clock = new SuspendedClock();
  const logger = recordingLogger();
  const events = new AgentReport({ clock, logger, onMetricsChanged: () => {} });
  const exits: number[] = [];
  /** `null`: now, again and again. */
  const agent: { acceptedAt: number | null; isEnding: boolean } = { acceptedAt: null, isEnding: false };
  const client = Object.assign(new AgentClientDouble(), { clock });
  const onMessage = (): void => {};
  new AgentWatch({
    settings: resolveRemoteAgentOptions({
      client: client.asClient,
      onMessage,
      presence: { exitWhenDead: afterMs },
    }),
    logger,
    report: events,
    register: async () => {},
    onPushed: () => {},
    mayRead: () => true,
    lastHeartbeat: () => agent.acceptedAt ?? clock.monotonic(),
    isEnding: () => agent.isEnding,
    stop,
  });
  vi.spyOn(process, 'exit').mockImplementation((code) => exits.push(Number(code)) as never);
  return { clock, logger, events, exits, agent };
}

afterEach(() => vi.restoreAllMocks());

describe('exitWhenDead', () => {
  it('ends the process after five minutes without heartbeats or messages, with one error line', async () => {
    for (const reason of ['platform-unreachable', 'inbound-stale', 'inbound-dead'] as const) {
      const { clock, logger, events, exits, agent } = watch();
      agent.acceptedAt = 0;
      events.degraded(reason, new Error('away'));
      await clock.advance(299_999);
      expect(exits).toEqual([]);
      await clock.advance(1);
      expect(exits).toEqual([70]);
      expect(logger.messages('error')).toEqual([expect.stringContaining('dead for 5 min')]);
    }
  });

  it('does not wait longer than five seconds for the stop', async () => {
    const { clock, events, exits } = watch({ stop: () => new Promise(() => {}) });
    events.degraded('inbound-stale');
    await clock.advance(304_999);
    expect(exits).toEqual([]);
    await clock.advance(1);
    expect(exits).toEqual([70]);
  });

  it('counts the time while anything is dead, and not after a recovery, a pause or an end', async () => {
    const { clock, events, exits, agent } = watch();
    events.degraded('handlers-blocked');
    await clock.advance(600_000);
    agent.acceptedAt = clock.monotonic();
    events.degraded('platform-unreachable');
    await clock.advance(200_000);
    events.recovered('platform-unreachable');
    agent.acceptedAt = null;
    await clock.advance(600_000);
    events.degraded('inbound-stale');
    events.emit('paused');
    await clock.advance(600_000);
    events.emit('resumed');
    await clock.advance(299_000);
    events.end();
    await clock.advance(600_000);
    expect(exits).toEqual([]);
  });

  it('does not count a time in which the process did not run, and leaves time for another attempt', async () => {
    const { clock, events, exits, agent } = watch({ afterMs: 10_000 });
    agent.acceptedAt = 0;
    events.degraded('platform-unreachable', new Error('away'));
    await clock.advance(4_000);
    clock.suspend(60_000);
    await clock.advance(15_000);
    expect(exits).toEqual([]);
    events.recovered('platform-unreachable');
    agent.acceptedAt = null;
    await clock.advance(600_000);
    expect(exits).toEqual([]);
    agent.acceptedAt = clock.monotonic();
    events.degraded('platform-unreachable', new Error('away'));
    await clock.advance(4_000);
    clock.suspend(60_000);
    await clock.advance(21_000);
    expect(exits).toEqual([70]);
  });

  it('ends the process although the event loop is blocked again and again', async () => {
    const { clock, events, exits } = watch({ afterMs: 10_000 });
    events.degraded('inbound-stale');
    for (let block = 0; block < 10; block += 1) {
      clock.suspend(3_000);
      await clock.advance(5_000);
    }
    expect(exits).toEqual([70]);
  });

  it('ends the process when no heartbeat is accepted, also when they are only limited', async () => {
    const { clock, logger, events, exits, agent } = watch();
    events.emit('started');
    await clock.advance(600_000);
    agent.acceptedAt = clock.monotonic();
    events.degraded('rate-limited', new Error('too many'));
    await clock.advance(299_999);
    expect(exits).toEqual([]);
    await clock.advance(1);
    expect(exits).toEqual([70]);
    expect(logger.lines.at(-1)?.fields).toMatchObject({ reasons: [], lastHeartbeatAgeMs: 300_000 });
  });

  it('a short time counts three intervals without an accepted heartbeat', async () => {
    const { clock, events, exits, agent } = watch({ afterMs: 10_000 });
    agent.acceptedAt = 0;
    events.emit('started');
    await clock.advance(89_999);
    expect(exits).toEqual([]);
    await clock.advance(1);
    expect(exits).toEqual([70]);
  });

  it('does not cut off a stop that has begun, and leaves no timer', async () => {
    const { clock, logger, events, exits, agent } = watch({ afterMs: 10_000 });
    agent.acceptedAt = 0;
    events.degraded('platform-unreachable', new Error('away'));
    await clock.advance(7_000);
    agent.isEnding = true;
    await clock.advance(600_000);
    expect([exits, logger.messages('error'), clock.pending]).toEqual([[], [], 0]);
  });
});
