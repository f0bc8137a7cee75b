import { describe, expect, it } from 'vitest';
import {
  isFinal,
  type PresenceChange,
  type PresenceEvent,
  type PresenceState,
  stepPresence,
} from './presence-machine.ts';

type Row = Record<PresenceEvent, readonly [PresenceState, PresenceChange | null]>;

const ENDS = {
  deleted: ['removed', 'removed'],
  rejected: ['revoked', 'revoked'],
  stop: ['stopped', 'stopped'],
} as const;

function stuckIn(state: PresenceState): Row {
  const same = [state, null] as const;
  return { alive: same, paused: same, unreachable: same, deleted: same, rejected: same, stop: same };
}

const TABLE: Record<PresenceState, Row> = {
  starting: {
    alive: ['online', 'started'],
    paused: ['paused', 'paused'],
    unreachable: ['degraded', 'degraded'],
    ...ENDS,
  },
  online: {
    alive: ['online', null],
    paused: ['paused', 'paused'],
    unreachable: ['degraded', 'degraded'],
    ...ENDS,
  },
  degraded: {
    alive: ['online', 'recovered'],
    paused: ['paused', 'paused'],
    unreachable: ['degraded', null],
    ...ENDS,
  },
  paused: {
    alive: ['online', 'resumed'],
    paused: ['paused', null],
    unreachable: ['paused', null],
    ...ENDS,
  },
  removed: stuckIn('removed'),
  revoked: stuckIn('revoked'),
  stopped: stuckIn('stopped'),
};

describe('stepPresence', () => {
  const states = Object.keys(TABLE) as PresenceState[];
  const events = Object.keys(TABLE.online) as PresenceEvent[];
  const cells = states.flatMap((state) => events.map((event) => [state, event] as const));

  it.each(cells)('%s on %s', (state, event) => {
    const [next, change] = TABLE[state][event];
    expect(stepPresence(state, event)).toEqual({ state: next, change });
  });

  it('has three final states', () => {
    expect(states.filter(isFinal)).toEqual(['removed', 'revoked', 'stopped']);
  });

  it('returns a change exactly when the state changes', () => {
    for (const [state, event] of cells) {
      const step = stepPresence(state, event);
      expect(step.change !== null).toBe(step.state !== state);
    }
  });
});
