import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { recordingLogger } from '../testing/recording-logger.ts';
import { AgentEventEmitter } from './agent-events.ts';
import { checkExitWhenDead, exitWhenDead } from './exit-when-dead.ts';

function watch(stop: () => Promise<void> = async () => {}) {
  const clock = new ManualClock();
  const logger = recordingLogger();
  const events = new AgentEventEmitter(() => {});
  const exits: number[] = [];
  exitWhenDead({ clock, logger, events, afterMs: 300_000, stop, exit: (code) => exits.push(code) });
  return { clock, logger, events, exits };
}

describe('exitWhenDead', () => {
  it('ends the process after five minutes without heartbeats or messages, with one error line', async () => {
    for (const reason of ['platform-unreachable', 'inbound-stale', 'inbound-dead'] as const) {
      const { clock, logger, events, exits } = watch();
      events.emit('degraded', reason, new Error('away'));
      await clock.advance(299_999);
      expect(exits).toEqual([]);
      await clock.advance(1);
      expect(exits).toEqual([70]);
      expect(logger.messages('error')).toEqual([expect.stringContaining('dead for 5 min')]);
    }
  });

  it('does not wait longer than five seconds for the stop', async () => {
    const { clock, events, exits } = watch(() => new Promise(() => {}));
    events.emit('degraded', 'inbound-stale', undefined);
    await clock.advance(304_999);
    expect(exits).toEqual([]);
    await clock.advance(1);
    expect(exits).toEqual([70]);
  });

  it('counts the time while anything is dead, and not after a recovery, a pause or an end', async () => {
    const { clock, events, exits } = watch();
    events.emit('degraded', 'handlers-blocked', undefined);
    await clock.advance(600_000);
    events.emit('degraded', 'platform-unreachable', undefined);
    await clock.advance(200_000);
    events.emit('recovered', 'platform-unreachable');
    await clock.advance(600_000);
    events.emit('degraded', 'inbound-stale', undefined);
    events.emit('paused');
    await clock.advance(600_000);
    events.emit('resumed');
    await clock.advance(299_000);
    events.emit('stopped', 'revoked');
    await clock.advance(600_000);
    expect(exits).toEqual([]);
  });

  it('is off unless it is set', () => {
    expect([undefined, false, true, {}, { afterMs: 10_000 }].map(checkExitWhenDead)).toEqual([
      null,
      null,
      300_000,
      300_000,
      10_000,
    ]);
    expect(() => checkExitWhenDead({ afterMs: 9_999 })).toThrow(/exitWhenDead/);
  });
});
