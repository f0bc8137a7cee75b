import { expect, it } from 'vitest';
import { AgentClientDouble, runningAgent } from '../../../test/agent-stage.ts';
import { ManualClock } from '../../../test/manual-clock.ts';
import { limited, refused } from '../../../test/presence-double.ts';
import { recordingLogger } from '../../testing/recording-logger.ts';
import { AckSender, type AckSenderOptions } from './ack-sender.ts';

const stateAt = (position: () => string): AckSenderOptions['state'] => ({
  get acknowledged() {
    return position();
  },
  isOpen: () => false,
  finish: async () => true,
  save: async () => true,
  outcomes: new Map(),
  outcomesReported: () => {},
});

it('a position that changes at any time during a request is sent', async () => {
  const life = new AbortController().signal;
  // One of these microtasks is between the last comparison and the end.
  for (let moment = 0; moment < 12; moment += 1) {
    let position = 'row-1';
    const sent: string[] = [];
    const sender = new AckSender({
      client: {
        capabilities: new Set(),
        acknowledge: async (id) => {
          sent.push(String(id));
          if (sent.length === 1) void moveAfter(moment);
          return { isSupported: true, acknowledged: 1, outcomes: [] };
        },
      },
      clock: new ManualClock(),
      logger: recordingLogger(),
      random: () => 0.5,
      state: stateAt(() => position),
    });
    const moveAfter = async (steps: number): Promise<void> => {
      for (let step = 0; step < steps; step += 1) await Promise.resolve();
      position = 'row-2';
      sender.send(life);
    };
    sender.send(life);
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent, `moved ${moment} steps after the request`).toEqual(['row-1', 'row-2']);
    expect(sender.isUpToDate).toBe(true);
  }
});

it('takes at most five requests a second, and waits as long as the platform asks', async () => {
  const clock = new ManualClock();
  const times: number[] = [];
  let position = 0;
  const sender = new AckSender({
    client: {
      capabilities: new Set(),
      acknowledge: async () => {
        times.push(clock.monotonic());
        if (times.length === 11) throw limited(20_000);
        return { isSupported: true, acknowledged: 1, outcomes: [] };
      },
    },
    clock,
    logger: recordingLogger(),
    random: () => 0.5,
    state: stateAt(() => `row-${position}`),
  });
  const life = new AbortController();
  for (let step = 0; step < 230; step += 1) {
    position += 1;
    sender.send(life.signal);
    await clock.advance(10);
  }
  expect(times.filter((at) => at < 1_000)).toHaveLength(5);
  expect(times.filter((at) => at >= 1_000 && at < 2_000)).toHaveLength(5);
  await clock.advance(30_000);
  const [refused = 0, repeated] = times.slice(10);
  expect(repeated).toBe(refused + 20_000);
  expect([times.length, sender.isUpToDate]).toEqual([12, true]);
  life.abort();
});

it.each(['connection_failed', 'unexpected_response', 'redirect_refused', 'platform_error'] as const)(
  'an outcome is sent again until the platform has it, after %s',
  async (code) => {
    const clock = new ManualClock();
    const outcomes = new Map([['row-1', { activityId: 'row-1', outcome: 'failed' as const }]]);
    const sent: unknown[] = [];
    const sender = new AckSender({
      client: {
        capabilities: new Set(['outcomes'] as const),
        acknowledge: async (position, options) => {
          sent.push([position, options?.outcomes?.length]);
          if (sent.length < 4) throw refused(200, code);
          return { isSupported: true, acknowledged: 1, outcomes: [] };
        },
      },
      clock,
      logger: recordingLogger(),
      random: () => 0.5,
      state: { ...stateAt(() => 'row-1'), outcomes, outcomesReported: () => outcomes.clear() },
    });
    const life = new AbortController();
    sender.send(life.signal);
    await clock.advance(60_000);
    expect(sent).toEqual(Array(4).fill(['row-1', 1]));
    expect(sender.isUpToDate).toBe(true);
  },
);

it('a platform without acknowledgements gets one request', async () => {
  const client = new AgentClientDouble();
  const requested: string[] = [];
  client.acknowledge = async (id) => {
    requested.push(String(id));
    return { isSupported: false, acknowledged: 0, outcomes: [] };
  };
  const { agent } = await runningAgent({ client });
  await client.deliver('m1');
  await client.deliver('m2');
  expect(agent.health().acknowledged).toBe('m2');
  await agent.stop();
  expect(client.replies).toHaveLength(2);
  expect(requested).toEqual(['m1']);
});
