import type { JsonObject } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { reply } from './harness/asking-agent.ts';
import { textAt, valueAt } from './harness/http.ts';
import { inbox, type Member, onboard, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const question = (id: string, more: JsonObject = {}): JsonObject => ({
  id,
  kind: 'text',
  text: `What about ${id}?`,
  from: 'sender',
  ...more,
});
const record = async (owner: Member, messageId: string) =>
  (await owner.caller.get(`/workspaces/${owner.id}/messages/${messageId}`)).body;
/** Asks in the reply to a message of the sender. */
const ask = (agent: Member, sender: Member, messageId: string, replyId: string, ...questions: JsonObject[]) =>
  reply(agent, { messageId, sourceId: sender.id }, { text: `about ${messageId}`, questions }, replyId);
const answer = (sender: Member, agent: Member, messageId: string, ...ids: string[]) =>
  send(sender.caller, agent.id, `words of ${messageId}`, {
    messageId,
    metadata: { answers: ids.map((id) => ({ question_id: id })) },
  });

onEachDatabase('questions', (environment) => {
  const start = async (options = {}) => {
    const platform = await environment.platform(options);
    return {
      platform,
      sender: await onboard(platform, { name: 'sender' }),
      agent: await onboard(platform, { name: 'agent' }),
    };
  };

  verifies('questions.shares', async () => {
    const { platform, sender, agent } = await start();
    const others = [];
    for (const name of ['second', 'third', 'fourth']) others.push(await onboard(platform, { name }));
    let next = 0;
    const askTwenty = async (from: Member | null) => {
      next += 1;
      const messageId = `m-${next}`;
      await send(from?.caller ?? platform.operator, agent.id, 'go', { messageId });
      const list = Array.from({ length: 20 }, (_, index) => question(`q-${next}-${index}`));
      const to = { messageId, sourceId: from?.id ?? '' };
      return (await reply(agent, to, { text: 'please', questions: list }, `r-${next}`)).status;
    };
    const until = async (from: Member) => {
      let count = 0;
      while ((await askTwenty(from)) === 200) count += 20;
      return count;
    };
    expect(await until(sender)).toBe(240);
    for (const other of others) expect(await until(other)).toBe(other === others[2] ? 180 : 240);
    expect(await askTwenty(null)).toBe(200);
  });

  verifies('questions.reach-the-sender', 'in a reply', async () => {
    const { platform, sender, agent } = await start();
    await send(agent.caller, sender.id, 'hello', { messageId: 'm' });
    await reply(sender, { messageId: 'm', sourceId: agent.id }, { text: 'late' }, 'late');
    await send(sender.caller, agent.id, 'for your information', { messageId: 'note', role: 'agent' });
    for (const messageId of ['late', 'note']) {
      const asked = await ask(agent, sender, messageId, `asks-${messageId}`, question(messageId));
      expect(asked).toMatchObject({ status: 200, body: { status: 'answered', delivered_to: 'feed' } });
      const again = await ask(agent, sender, messageId, `asks-${messageId}`, question(messageId));
      expect(again).toMatchObject({ status: 200, body: { delivered_to: 'feed', duplicate: true } });
    }
    const rows = (await inbox(sender)).slice(1);
    expect(rows.map((row) => [row.message_id, row.in_reply_to])).toEqual([
      ['asks-late', 'late'],
      ['asks-note', 'note'],
    ]);
    expect(rows[0]).toMatchObject({
      request_body: {
        params: {
          message: { metadata: { state: 'input_required', questions: [{ id: 'late', from: 'sender' }] } },
        },
      },
    });
    expect(textAt(rows[0], 'data', 'text')).toContain('about late');
    // Whoever answers, the one that was asked gets the end.
    await answer(sender, agent, 'words', 'late');
    await platform.operator.post(`/workspaces/${agent.id}/questions/note/answer`, { text: 'yes' });
    for (const row of (await inbox(agent)).slice(-2)) {
      await reply(agent, { messageId: String(row.message_id), sourceId: sender.id }, { text: 'the end' });
    }
    expect((await inbox(sender)).slice(3).map((row) => row.in_reply_to)).toEqual(['late', 'words', 'note']);
  });

  verifies('questions.rounds', 'rounds', async () => {
    const { sender, agent } = await start();
    await send(sender.caller, agent.id, 'go', { messageId: 'round-0' });
    for (let round = 0; round < 20; round += 1) {
      const asked = await ask(agent, sender, `round-${round}`, `asks-${round}`, question(`q-${round}`));
      expect(asked.status).toBe(200);
      expect((await answer(sender, agent, `round-${round + 1}`, `q-${round}`)).status).toBe(202);
    }
    const said = (body: unknown) => textAt(body, 'answer', 'result', 'status', 'message', 'parts', 0, 'text');
    expect(await ask(agent, sender, 'round-20', 'too-often', question('one more'))).toMatchObject({
      status: 400,
      body: { code: 'invalid_request', error: expect.stringMatching(/20 times/) },
    });
    expect(await record(sender, 'round-0')).toMatchObject({ state: 'delivered' });
    await reply(agent, { messageId: 'round-20', sourceId: sender.id }, { text: 'the end' });
    for (let round = 0; round <= 20; round += 1) {
      const body = await record(sender, `round-${round}`);
      expect(body).toMatchObject({ state: 'answered' });
      expect(textAt(body, 'answer', 'result', 'parts', 0, 'text')).toContain('the end');
    }
    const ends = (await inbox(sender)).filter((row) => textAt(row, 'data', 'text').includes('the end'));
    expect(ends.map((row) => row.in_reply_to).sort()).toEqual(['round-0', 'round-20']);
    // While it waits, each message of a chain has the questions.
    await send(sender.caller, agent.id, 'go', { messageId: 'again-0' });
    await ask(agent, sender, 'again-0', 'first', question('first'));
    await answer(sender, agent, 'again-1', 'first');
    await ask(agent, sender, 'again-1', 'second', question('second'));
    expect(said(await record(sender, 'again-0'))).toContain('about again-1');
    expect(said(await record(sender, 'again-1'))).toContain('about again-1');
  });

  verifies('loops.answered-questions', 'turns', async () => {
    const { sender, agent } = await start({ limits: { maxTurns: 2, pairRate: 2 } });
    await send(sender.caller, agent.id, 'go', { messageId: 'round-0' });
    for (let round = 0; round < 2; round += 1) {
      await ask(agent, sender, `round-${round}`, `asks-${round}`, question(`q-${round}`));
      expect((await answer(sender, agent, `round-${round + 1}`, `q-${round}`)).status).toBe(202);
    }
    await ask(agent, sender, 'round-2', 'asks-2', question('q-2'));
    expect(await answer(sender, agent, 'round-3', 'q-2')).toMatchObject({
      status: 409,
      body: { code: 'loop_detected', reason: 'turns' },
    });

    const other = await start({ limits: { pairRate: 2 } });
    for (const id of ['x', 'y', 'z']) {
      await send(other.agent.caller, other.sender.id, 'busy', { messageId: id });
    }
    for (const id of ['one', 'two']) {
      await send(other.sender.caller, other.agent.id, 'go', { messageId: id });
      await ask(other.agent, other.sender, id, `asks-${id}`, question(id));
    }
    expect(await answer(other.sender, other.agent, 'both', 'one', 'two')).toMatchObject({
      status: 429,
      body: { code: 'rate_limited', scope: 'pair' },
    });
    const { body } = await other.platform.operator.get(`/workspaces/${other.agent.id}/questions?state=open`);
    expect(valueAt(body, 'questions')).toHaveLength(2);
  });
});
