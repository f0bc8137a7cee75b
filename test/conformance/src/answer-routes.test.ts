import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import { textAt } from './harness/http.ts';
import { inboxTexts, onboard, send, waitForRow } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

onEachDatabase('routes of answers', (environment) => {
  const start = async () => {
    const platform = await environment.platform();
    const [peer, member] = [await onboard(platform), await onboard(platform)];
    await send(peer.caller, member.id, 'time?', { messageId: 'm-1' });
    const [row] = await waitForRow(member);
    const stateOf = async (messageId: string) => {
      const record = await peer.caller.get(`/workspaces/${peer.id}/messages/${messageId}`);
      return textAt(record.body, 'state');
    };
    const reply = (to: string, reference: string, messageId: string = randomUUID()) =>
      send(member.caller, to, 'noon', { role: 'agent', messageId, metadata: { in_reply_to: reference } });
    return { platform, peer, member, rowId: textAt(row, 'id'), stateOf, reply };
  };

  verifies('answers.nobody-gets-it', 'after the end', async () => {
    const { peer, member, rowId, stateOf, reply } = await start();
    await member.caller.post(`/workspaces/${member.id}/activity/ack`, { up_to: rowId });
    for (const reference of [rowId, 'm-1']) {
      const late = await reply(peer.id, reference);
      expect(late).toMatchObject({
        status: 200,
        body: { status: 'answered', delivered_to: 'nobody', duplicate: true, state: 'unanswered' },
      });
      expect(textAt(late.body, 'hint')).toContain('accepted');
    }
    expect([await stateOf('m-1'), await inboxTexts(peer)]).toEqual(['unanswered', []]);
    await send(peer.caller, member.id, 'and now?', { messageId: 'm-2' });
    expect((await reply(peer.id, 'm-2', 'r-2')).body).toMatchObject({ delivered_to: 'feed' });
    const other = await reply(peer.id, 'm-2');
    expect(other.body).toMatchObject({ delivered_to: 'nobody', state: 'answered' });
    const repeat = await reply(peer.id, 'm-2', 'r-2');
    expect(repeat.body).toMatchObject({ delivered_to: 'feed', duplicate: true });
    expect(repeat.body).not.toHaveProperty('hint');
    expect(await inboxTexts(peer)).toHaveLength(1);
  });

  verifies('answers.nobody-gets-it', 'wrong route', async () => {
    const { platform, peer, member, rowId, stateOf, reply } = await start();
    const notify = (inReplyTo: string) =>
      member.caller.post(`/workspaces/${member.id}/notify`, { message: 'noon', in_reply_to: inReplyTo });
    for (const reference of [rowId, rowId.toUpperCase(), 'm-1']) {
      const wrong = await notify(reference);
      expect(wrong).toMatchObject({ status: 400, body: { code: 'invalid_request', field: 'in_reply_to' } });
      expect(textAt(wrong.body, 'hint')).toContain(`/workspaces/${peer.id}/a2a`);
      for (const path of ['/a2a', `/workspaces/${member.id}/a2a`]) {
        const own = await member.caller.post(path, { text: 'noon', metadata: { in_reply_to: reference } });
        expect(own).toMatchObject({ status: 400, body: { code: 'invalid_message' } });
        expect(textAt(own.body, 'hint')).toContain(`/workspaces/${peer.id}/a2a`);
      }
    }
    expect(await inboxTexts(member)).toEqual(['time?']);
    await send(platform.operator, member.id, 'hello?', { messageId: 'p-1' });
    const person = await reply(member.id, 'p-1');
    expect(person.status).toBe(400);
    expect(textAt(person.body, 'hint')).toContain(`/workspaces/${member.id}/notify`);
    // Without a question that somebody waits for, both are what they were.
    expect((await reply(peer.id, rowId)).body).toMatchObject({ delivered_to: 'feed' });
    for (const reference of [rowId, 'p-1', 'unknown']) expect((await notify(reference)).status).toBe(200);
    await send(member.caller, member.id, 'remember', { messageId: 's-1' });
    expect((await reply(member.id, 's-1')).body).toMatchObject({ in_reply_to: 's-1' });
    expect(
      (await send(member.caller, member.id, 'note', { metadata: { in_reply_to: 'unknown' } })).status,
    ).toBe(202);
    expect(await stateOf('m-1')).toBe('answered');
  });

  verifies('messages.completed', 'short form', async () => {
    const { peer, member, rowId } = await start();
    const path = `/workspaces/${peer.id}/a2a`;
    const sent = await member.caller.post(path, { text: 'noon', in_reply_to: rowId });
    expect(sent).toMatchObject({ status: 200, body: { status: 'answered', in_reply_to: 'm-1' } });
    const parts = [{ kind: 'text', text: 'late' }];
    for (const [index, form] of [{ parts }, { message: { parts } }, { message: 'late' }].entries()) {
      await send(peer.caller, member.id, 'again?', { messageId: `m-${index + 2}` });
      const again = await member.caller.post(path, { ...form, in_reply_to: `m-${index + 2}` });
      expect(again.body).toMatchObject({ status: 'answered', delivered_to: 'feed' });
    }
    const metadata = { in_reply_to: 'named' };
    const named = await member.caller.post(path, { text: 'x', in_reply_to: rowId, metadata });
    expect(named.status).toBe(202);
  });
});
