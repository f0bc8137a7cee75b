import type { JsonObject } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { type HttpResponse, textAt } from './harness/http.ts';
import { inbox, type Member, onboard, send } from './harness/members.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const REFUSED = { status: 409, body: { code: 'loop_detected' } };

interface Sent extends HttpResponse {
  readonly messageId: string;
}

/** Sends messages with ids of its own. */
function createSender() {
  let count = 0;
  return async (from: Member, to: Member, metadata: JsonObject = {}): Promise<Sent> => {
    count += 1;
    const messageId = `m-${count}`;
    return { ...(await send(from.caller, to.id, 'go on', { messageId, metadata })), messageId };
  };
}

async function members(environment: TestEnvironment, count: number, options = {}) {
  const platform = await environment.platform({ mode: 'dev', server: { contractCheck: 'all' }, ...options });
  const all: Member[] = [];
  for (let each = 0; each < count; each += 1) all.push(await onboard(platform));
  return { platform, members: all as [Member, Member, Member, ...Member[]], sendFrom: createSender() };
}

onEachDatabase('loops', (environment) => {
  verifies('loops.hops', async () => {
    const { members: all, sendFrom } = await members(environment, 10);
    let parent: JsonObject = {};
    for (let hop = 0; hop < 8; hop += 1) {
      const sent = await sendFrom(all[hop] as Member, all[hop + 1] as Member, parent);
      expect(sent.status).toBe(202);
      parent = { parent_message_id: sent.messageId };
    }
    const refused = await sendFrom(all[8] as Member, all[9] as Member, parent);
    expect(refused).toMatchObject({ ...REFUSED, body: { reason: 'hops' } });
    expect(refused.body).toMatchObject({
      error: expect.stringMatching(/^Not sent, because it would continue a loop/),
      hint: expect.stringMatching(/answer the message that you are handling/),
    });
    expect(await inbox(all[9] as Member)).toEqual([]);
    expect((await sendFrom(all[8] as Member, all[9] as Member)).status).toBe(202);
  });

  verifies('loops.circles-end', 'same call third time', async () => {
    const { members: ring, sendFrom } = await members(environment, 3);
    const statuses: number[] = [];
    let parent: JsonObject = {};
    for (let step = 0; step < 7; step += 1) {
      const [from, to] = [ring[step % 3] as Member, ring[(step + 1) % 3] as Member];
      const sent = await sendFrom(from, to, parent);
      statuses.push(sent.status);
      if (sent.status === 409) expect(sent.body).toMatchObject({ reason: 'repeated' });
      parent = { parent_message_id: sent.messageId };
    }
    expect(statuses).toEqual([202, 202, 202, 202, 202, 202, 409]);
  });

  verifies('loops.siblings-are-no-loop', async () => {
    const { members: all, sendFrom } = await members(environment, 2);
    const [one, two] = all;
    const asked = await sendFrom(one, two);
    const parent = { parent_message_id: asked.messageId };
    for (let count = 0; count < 130; count += 1) {
      expect((await sendFrom(two, one, parent)).status).toBe(202);
    }
  });

  verifies('loops.claims-only-raise', 'parent is believed if delivered', async () => {
    const { members: all, sendFrom } = await members(environment, 3);
    const [one, two, three] = all;
    const asked = await sendFrom(one, two, { hops: 8 });
    const parent = { parent_message_id: asked.messageId };
    for (const metadata of [
      parent,
      { parent_message_id: 'never sent' },
      { parent_message_id: ['not', 'a', 'text'] },
    ]) {
      expect((await sendFrom(three, one, metadata)).status).toBe(202);
    }
    expect(await sendFrom(two, three, parent)).toMatchObject(REFUSED);
    await send(one.caller, two.id, 'near', { messageId: 'shared' });
    await send(three.caller, two.id, 'far', { messageId: 'shared', metadata: { hops: 8 } });
    expect(await sendFrom(two, three, { parent_message_id: 'shared' })).toMatchObject(REFUSED);
  });

  verifies('loops.claims-only-raise', 'claims only raise', async () => {
    const { members: all, sendFrom } = await members(environment, 2);
    const [one, two] = all;
    expect((await sendFrom(one, two, { hops: 8 })).status).toBe(202);
    expect(await sendFrom(one, two, { hops: 9 })).toMatchObject(REFUSED);
    const edge = [one.id, two.id];
    expect((await sendFrom(one, two, { path: [edge, edge] })).status).toBe(202);
    expect(await sendFrom(one, two, { path: [edge, edge, edge] })).toMatchObject(REFUSED);
    const deep = await sendFrom(one, two, { hops: 8 });
    const less = { parent_message_id: deep.messageId, hops: 1, path: [] };
    expect(await sendFrom(two, one, less)).toMatchObject(REFUSED);
  });

  verifies('loops.late-answers', 'late answers', async () => {
    const { members: all, sendFrom } = await members(environment, 2, { limits: { maxTurns: 50 } });
    const [one, two] = all;
    let parent: JsonObject = {};
    let turns = 0;
    for (;;) {
      const question = await sendFrom(one, two, parent);
      if (question.status !== 202) {
        expect(question).toMatchObject({ ...REFUSED, body: { reason: 'turns' } });
        break;
      }
      const answer = await sendFrom(two, one, { in_reply_to: question.messageId });
      expect(answer.body).toMatchObject({ delivered_to: 'feed' });
      parent = { parent_message_id: answer.messageId };
      turns += 1;
    }
    expect(turns).toBe(51);
  });

  verifies('loops.late-answers', 'branches count together', async () => {
    const { members: all, sendFrom } = await members(environment, 2, { limits: { maxTurns: 50 } });
    const [one, two] = all;
    const other = (member: typeof one) => (member === one ? two : one);
    const first = await sendFrom(one, two, {});
    // What each agent has to handle: messages, and late answers to its own.
    const work = [{ agent: two, messageId: first.messageId, isAnswer: false }];
    let sent = 1;
    for (let task = work.shift(); task !== undefined; task = work.shift()) {
      const { agent, messageId, isAnswer } = task;
      const next = await sendFrom(agent, other(agent), { parent_message_id: messageId });
      if (next.status === 202) {
        sent += 1;
        work.push({ agent: other(agent), messageId: next.messageId, isAnswer: false });
      } else expect(next).toMatchObject(REFUSED);
      if (isAnswer) continue;
      const answer = await sendFrom(agent, other(agent), { in_reply_to: messageId });
      work.push({ agent: other(agent), messageId: answer.messageId, isAnswer: true });
    }
    // Four without a late answer before them: twice in each direction.
    expect(sent).toBe(54);
  });

  verifies('loops.circles-end', 'fan out', async () => {
    const { members: all, sendFrom } = await members(environment, 51);
    const [hub, ...workers] = all;
    await Promise.all(
      workers.map(async (worker) => {
        let parent: JsonObject = {};
        for (let step = 0; step < 5; step += 1) {
          const sent = step % 2 === 0 ? sendFrom(hub, worker, parent) : sendFrom(worker, hub, parent);
          const { status, messageId } = await sent;
          expect(status).toBe(step < 4 ? 202 : 409);
          parent = { parent_message_id: messageId };
        }
      }),
    );
    expect(await inbox(hub)).toHaveLength(100);
  });

  verifies('loops.answered-questions', 'answered questions', async () => {
    const { platform, members: all, sendFrom } = await members(environment, 2);
    const [one, two] = all;
    const continuationOf = async (hops: number) => {
      const asked = await sendFrom(one, two, { hops });
      const id = `question-${hops}`;
      const questions = [{ id, kind: 'text', text: 'Which one?', from: 'user' }];
      await sendFrom(two, one, { in_reply_to: asked.messageId, questions });
      const answered = await platform.operator.post(`/workspaces/${two.id}/questions/${id}/answer`, {
        text: 'The first.',
      });
      expect(answered.status).toBe(200);
      return { parent_message_id: textAt((await inbox(two)).at(-1), 'message_id') };
    };
    expect((await sendFrom(two, one, await continuationOf(7))).status).toBe(202);
    expect(await sendFrom(two, one, await continuationOf(8))).toMatchObject(REFUSED);
  });

  verifies('loops.late-answers', 'long conversations', async () => {
    const { members: all, sendFrom } = await members(environment, 2);
    const [one, two] = all;
    let parent: JsonObject = {};
    for (let turn = 0; turn < 200; turn += 1) {
      const question = await sendFrom(one, two, parent);
      expect(question.status).toBe(202);
      const answer = await sendFrom(two, one, { in_reply_to: question.messageId });
      expect(answer.body).toMatchObject({ delivered_to: 'feed' });
      parent = { parent_message_id: answer.messageId };
    }
  });

  verifies('loops.exempt', 'repeat is not counted', async () => {
    const { members: all, sendFrom } = await members(environment, 2);
    const [one, two] = all;
    const asked = await sendFrom(one, two, { hops: 7 });
    const parent = { parent_message_id: asked.messageId };
    const options = { messageId: 'again', metadata: parent };
    const first = await send(two.caller, one.id, 'same', options);
    expect(first.status).toBe(202);
    const { queue_id } = first.body as { queue_id: string };
    for (const metadata of [
      parent,
      {},
      { hops: 9 },
      { trace_id: 'other', deadline: '2099-01-01T00:00:00Z' },
    ]) {
      const again = await send(two.caller, one.id, 'same', { messageId: 'again', metadata });
      expect(again).toMatchObject({ status: 202, body: { queue_id } });
    }
    const other = await send(two.caller, one.id, 'other', options);
    expect(other).toMatchObject({ status: 409, body: { code: 'message_id_conflict' } });
  });

  verifies('loops.pair-rate', 'pair rate', async () => {
    const { platform, members: all, sendFrom } = await members(environment, 3, { clock: 'manual' });
    const [one, two, three] = all;
    for (let count = 0; count < 120; count += 1) {
      expect((await sendFrom(one, two)).status).toBe(202);
      expect((await sendFrom(two, one)).status).toBe(202);
    }
    expect((await sendFrom(one, two)).status).toBe(202);
    const refused = await sendFrom(two, one);
    expect(refused).toMatchObject({
      status: 429,
      body: { code: 'rate_limited', scope: 'pair', retry_after: 60 },
      headers: { 'retry-after': '60' },
    });
    expect((await sendFrom(two, three)).status).toBe(202);
    await platform.clock.advance(60_000);
    expect(await sendFrom(two, one)).toMatchObject({ status: 202 });
  });

  verifies('loops.pair-rate', 'a parent that has ended', async () => {
    const { members: all, sendFrom } = await members(environment, 3, { limits: { pairRate: 5 } });
    const [one, two, three] = all;
    const parent = await sendFrom(three, two);
    const id = textAt(parent.body, 'activity_id');
    const statuses: number[] = [];
    // While it is handled, what follows from it is limited by its path.
    for (let count = 0; count < 8; count += 1) {
      if (count === 2) await two.caller.post(`/workspaces/${two.id}/activity/ack`, { up_to: id });
      await sendFrom(one, two);
      statuses.push((await sendFrom(two, one, { parent_activity_id: id })).status);
    }
    expect(statuses).toEqual([202, 202, 202, 202, 202, 202, 202, 429]);
  });

  verifies('loops.pair-rate', 'one way is free', async () => {
    const { members: all, sendFrom } = await members(environment, 2);
    const [one, two] = all;
    for (let count = 0; count < 10; count += 1) await sendFrom(two, one);
    const statuses = new Set<number>();
    for (let batch = 0; batch < 6; batch += 1) {
      const sent = await Promise.all(Array.from({ length: 50 }, () => sendFrom(one, two)));
      for (const { status } of sent) statuses.add(status);
    }
    expect([...statuses]).toEqual([202]);
  });

  verifies('loops.exempt', 'people are exempt', async () => {
    const { platform, members: all, sendFrom } = await members(environment, 2);
    const [one, two] = all;
    const edge = [one.id, two.id];
    const metadata = { hops: 50, path: [edge, edge, edge] };
    expect((await send(platform.operator, one.id, 'hello', { metadata })).status).toBe(202);
    for (let count = 0; count < 125; count += 1) {
      const question = await sendFrom(one, two);
      const reply = await sendFrom(two, one, { in_reply_to: question.messageId });
      expect([question.status, reply.status]).toEqual([202, 200]);
      expect((await send(platform.operator, two.id, 'hello')).status).toBe(202);
    }
  });
});
