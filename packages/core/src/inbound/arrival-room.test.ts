import { describe, expect, it } from 'vitest';
import { OTHER, PEER, SELF } from '../../test/agent-ids.ts';
import { AgentClientDouble } from '../../test/agent-stage.ts';
import { directStage } from '../../test/direct-stage.ts';
import { ApiError } from '../errors/api-error.ts';
import { readArrival } from './arrival-message.ts';
import { ArrivalRoom, type Place } from './arrival-room.ts';
import { MemoryInboundStore } from './inbound-store.ts';
import type { Arrival } from './ledger-lines.ts';

const THIRD = '33333333-3333-4333-8333-333333333333';
const MIB = 1024 * 1024;
const WHOLE = { most: 1_000, free: 1_000 };

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
  it('is limited in bytes as well, divided the same way', () => {
    const room = new ArrivalRoom();
    const places: Place[] = [];
    const fill = (use: 'push' | 'direct', subject: string): number => {
      const large = arrivalOf(use, subject, 'large', 'x'.repeat(MIB));
      for (let count = 0; ; count += 1) {
        const arrival = { ...large, message: { ...large.message, id: `${use} ${subject} ${count}` } };
        if (!room.hasRoom(arrival, WHOLE)) return count;
        places.push(room.add(arrival, MIB));
      }
    };
    expect([fill('direct', PEER), fill('direct', OTHER), fill('direct', THIRD)]).toEqual([16, 16, 0]);
    expect([fill('push', PEER), fill('push', 'canvas')]).toEqual([26, 6]);
    const [first] = places;
    if (first !== undefined) room.remove(first);
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
    const first = await directStage({ store, limits: { readAhead: 4 } }, refusing(PEER));
    for (const id of ['one', 'two']) await (await first.direct(id, { holdSeconds: 0 })).response;
    await first.client.clock.advance(DAY / 2);
    await first.agent.stop();
    const client = refusing(PEER);
    await client.clock.advance(DAY);
    const ran: string[] = [];
    const second = await directStage(
      { store, limits: { readAhead: 4 }, onMessage: ({ id }) => void ran.push(id) },
      client,
    );
    await client.clock.advance(900_000);
    expect([ran, second.agent.health().unfinished, second.agent.health().deadLetters]).toEqual([[], 0, 2]);
    expect(await second.agent.listDeadLetters()).toMatchObject([
      { stage: 'reply', errorCode: 'inbox_full' },
      { stage: 'reply', errorCode: 'inbox_full' },
    ]);
  });
});
