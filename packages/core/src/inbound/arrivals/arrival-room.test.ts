import { describe, expect, it } from 'vitest';
import { OTHER, PEER, SELF } from '../../../test/agent-ids.ts';
import { AgentClientDouble } from '../../../test/agent-stage.ts';
import { directStage } from '../../../test/direct-stage.ts';
import { ApiError } from '../../errors/api-error.ts';
import { MemoryInboundStore } from '../stores/inbound-store.ts';
import type { Arrival } from './arrival.ts';
import { readArrival } from './arrival-message.ts';
import { ArrivalRoom } from './arrival-room.ts';

const THIRD = '33333333-3333-4333-8333-333333333333';
const MIB = 1024 * 1024;
const WHOLE = { most: 1_000, free: 1_000 };
const never = (): Promise<string> => new Promise(() => {});

function arrivalOf(use: 'push' | 'direct', subject: string, id: string, text = 'text'): Arrival {
  const parts = [{ kind: 'text', text }];
  const envelope = { method: 'message/send', params: { message: { role: 'user', messageId: id, parts } } };
  const read = readArrival({ use, subject }, envelope, {
    workspaceId: SELF,
    hasCheckedAnswers: true,
    receivedAt: '2026-01-01T00:00:00Z',
    trace: null,
  });
  if (read.kind === 'refused') throw new Error(read.refusal.message);
  return read.arrival;
}

describe('the room of an agent', () => {
  it('is divided: a quarter for one sender of direct messages, half for all, a tenth for people only', async () => {
    const stage = await directStage({ readAhead: 20, concurrency: 1, onMessage: never });
    const accepted = async (from: string, count: number): Promise<number> => {
      const statuses: number[] = [];
      for (let index = 0; index < count; index += 1) {
        const { response } = await stage.direct(`${from} ${index}`, { from, holdSeconds: 0 });
        statuses.push((await response).status);
      }
      expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
      return statuses.filter((status) => status === 200).length;
    };
    const pushed = async (sub: string, count: number): Promise<number> => {
      let taken = 0;
      for (let index = 0; index < count; index += 1) {
        const { response } = await stage.direct(`pushed ${sub} ${index}`, {
          from: sub,
          use: 'push',
          metadata: { activity_id: `row ${sub} ${index}` },
          holdSeconds: 0,
        });
        if ((await response).status === 202) taken += 1;
      }
      return taken;
    };
    expect([await accepted(PEER, 8), await accepted(OTHER, 8), await accepted(THIRD, 2)]).toEqual([5, 5, 0]);
    expect([await pushed(PEER, 12), await pushed('canvas', 4)]).toEqual([8, 2]);
    expect(stage.agent.health().unfinished).toBe(20);
  });

  it('is limited in bytes as well, divided the same way', () => {
    const room = new ArrivalRoom();
    const fill = (use: 'push' | 'direct', subject: string): number => {
      for (let count = 0; ; count += 1) {
        const arrival = arrivalOf(use, subject, `${use} ${subject} ${count}`, 'x'.repeat(MIB));
        if (!room.hasRoom(arrival, WHOLE)) return count;
        room.add(arrival);
      }
    };
    expect([fill('direct', PEER), fill('direct', OTHER), fill('direct', THIRD)]).toEqual([16, 16, 0]);
    expect([fill('push', PEER), fill('push', 'canvas')]).toEqual([26, 6]);
    room.remove(arrivalOf('direct', PEER, `direct ${PEER} 0`).message.id);
    expect([fill('direct', OTHER), fill('direct', PEER)]).toEqual([0, 0]);
    expect(room.hasRoom(arrivalOf('push', 'canvas', 'one more'), WHOLE)).toBe(true);
  });
});

describe('an answer for which its recipient has no room', () => {
  const refusal = new ApiError('The inbox is full.', {
    code: 'inbox_full',
    status: 429,
    method: 'POST',
    path: '/a2a',
  });
  /** Refuses the answers to one sender. */
  const refusing = (sender: string): AgentClientDouble => {
    const client = new AgentClientDouble();
    const { reply } = client;
    client.reply = (message, ...rest) =>
      message.sourceId === sender ? Promise.reject(refusal) : reply.call(client, message, ...rest);
    return client;
  };
  const DAY = 24 * 3_600_000;

  it('waits outside of the room; too many are given up', async () => {
    const client = refusing(PEER);
    const stage = await directStage({ readAhead: 8, concurrency: 1 }, client);
    for (let index = 0; index < 40; index += 1) {
      const { response } = await stage.direct(`m-${index}`, { holdSeconds: 0 });
      expect((await response).status).toBe(200);
    }
    const { unfinished, deadLetters, degradedReasons } = stage.agent.health();
    expect([unfinished, deadLetters, degradedReasons]).toEqual([25, 15, ['answers-refused']]);
    const other = await stage.direct('hello', { from: OTHER, holdSeconds: 0 });
    expect((await other.response).status).toBe(200);
    await client.flushPromises();
    expect(client.replies).toEqual([expect.stringMatching(/: echo /)]);
    expect(stage.agent.health()).toMatchObject({ unfinished: 25, degradedReasons: [] });
  });

  it('is sent when there is room', async () => {
    const client = refusing(PEER);
    const stage = await directStage({}, client);
    await (await stage.direct('one', { holdSeconds: 0 })).response;
    await client.clock.advance(3_600_000);
    client.reply = AgentClientDouble.prototype.reply;
    await client.clock.advance(900_000);
    expect(client.replies).toHaveLength(1);
    expect(stage.agent.health()).toMatchObject({ unfinished: 0, deadLetters: 0 });
  });

  it('waits a day, also over restarts, without taking room', async () => {
    const store = new MemoryInboundStore();
    const first = await directStage({ store, readAhead: 4 }, refusing(PEER));
    for (const id of ['one', 'two']) await (await first.direct(id, { holdSeconds: 0 })).response;
    await first.client.clock.advance(DAY / 2);
    await first.agent.stop();
    const client = refusing(PEER);
    await client.clock.advance(DAY);
    const ran: string[] = [];
    const second = await directStage(
      { store, readAhead: 4, onMessage: ({ id }) => void ran.push(id) },
      client,
    );
    await client.clock.advance(900_000);
    expect([ran, second.agent.health().unfinished, second.agent.health().deadLetters]).toEqual([[], 0, 2]);
    expect(await second.agent.listDeadLetters()).toMatchObject([
      { stage: 'reply', errorCode: 'inbox_full' },
      { stage: 'reply', errorCode: 'inbox_full' },
    ]);
  });

  it('takes no room after a restart', async () => {
    const store = new MemoryInboundStore();
    const first = await directStage({ store, readAhead: 4 }, refusing(PEER));
    for (const id of ['one', 'two', 'three', 'four']) {
      await (await first.direct(id, { holdSeconds: 0 })).response;
    }
    await first.agent.stop();
    const second = await directStage({ store, readAhead: 4 }, refusing(PEER));
    expect(second.agent.health().unfinished).toBe(4);
    const { response } = await second.direct('five', { holdSeconds: 0 });
    expect((await response).status).toBe(200);
  });
});
