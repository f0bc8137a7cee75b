import { expect, it } from 'vitest';
import { ManualClock } from '../../../test/manual-clock.ts';
import { RecordingLogger } from '../../../test/recording-logger.ts';
import { AckSender, type AckSenderOptions } from './ack-sender.ts';

const stateAt = (position: () => string): AckSenderOptions['state'] => ({
  get acknowledged() {
    return position();
  },
  isOpen: () => false,
  finish: async () => true,
  save: async () => true,
});

it('a position that changes at any time during a request is sent', async () => {
  const life = new AbortController().signal;
  // One of these microtasks is between the last comparison and the end.
  for (let moment = 0; moment < 12; moment += 1) {
    let position = 'row-1';
    const sent: string[] = [];
    const sender = new AckSender({
      client: {
        acknowledge: async (id) => {
          sent.push(String(id));
          if (sent.length === 1) void moveAfter(moment);
          return { isSupported: true, acknowledged: 1 };
        },
      },
      clock: new ManualClock(),
      logger: new RecordingLogger(),
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

it('a platform without acknowledgements gets one request', async () => {
  let requests = 0;
  const life = new AbortController().signal;
  const sender = new AckSender({
    client: {
      acknowledge: async () => {
        requests += 1;
        return { isSupported: false, acknowledged: 0 };
      },
    },
    clock: new ManualClock(),
    logger: new RecordingLogger(),
    random: () => 0.5,
    state: stateAt(() => `row-${requests}`),
  });
  sender.send(life);
  await sender.flush(life);
  sender.send(life);
  await sender.flush(life);
  expect(requests).toBe(1);
});
