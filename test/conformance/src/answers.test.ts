import { randomUUID } from 'node:crypto';
import { PLATFORM_WORDS, stripA2aBoundary, wrapA2aBoundary } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { type HttpResponse, textAt, trackCall, valueAt } from './harness/http.ts';
import { inbox, inboxTexts, type Member, onboard, send, waitForRow } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

/** Replies as core does: a message of role agent that names what it answers. */
function reply(
  from: Member,
  to: string,
  messageId: string,
  text: string,
  id?: string,
): Promise<HttpResponse> {
  return send(from.caller, to, text, {
    role: 'agent',
    messageId: id ?? randomUUID(),
    metadata: { in_reply_to: messageId },
  });
}

onEachDatabase('answers', (environment) => {
  verifies(
    ['answers.held-call', 'answers.arrive-once', 'rpc.form'],
    'held call; awaited reply is no row; shape',
    async () => {
      const platform = await environment.platform();
      const [caller, target] = [await onboard(platform), await onboard(platform)];
      const call = send(caller.caller, target.id, 'what is new?', { messageId: 'm-1', hold: 60 });
      await waitForRow(target);
      expect(await reply(target, caller.id, 'm-1', 'nothing much')).toMatchObject({
        status: 200,
        body: { status: 'answered', in_reply_to: 'm-1', delivered_to: 'caller' },
      });
      const answer = await call;
      expect(answer).toMatchObject({
        status: 200,
        body: {
          jsonrpc: '2.0',
          id: 'm-1',
          result: {
            kind: 'message',
            role: 'agent',
            messageId: expect.any(String),
            parts: [{ kind: 'text' }],
          },
        },
      });
      expect(stripA2aBoundary(textAt(answer.body, 'result', 'parts', 0, 'text'))).toBe('nothing much');
      expect(await inbox(caller)).toEqual([]);
    },
  );

  verifies('answers.held-call', 'held call then 202', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const body = {
      jsonrpc: '2.0',
      id: 1,
      method: 'message/send',
      params: { message: { parts: [{ kind: 'text', text: 'hm' }] } },
    };
    const before = platform.clock.monotonic();
    const call = trackCall(caller.caller.post(`/workspaces/${target.id}/a2a`, body));
    await waitForRow(target);
    await platform.clock.advanceUntil(() => call.isComplete);
    expect(await call.response).toMatchObject({ status: 202, body: { queued: true } });
    expect(platform.clock.monotonic() - before).toBeGreaterThanOrEqual(25_000);
  });

  verifies('answers.held-call', 'x timeout is a deadline', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    expect((await send(caller.caller, target.id, 'now', { hold: 0 })).status).toBe(202);
    const before = platform.clock.monotonic();
    const call = trackCall(send(caller.caller, target.id, 'soon', { hold: 3 }));
    await waitForRow(target, 2);
    await platform.clock.advanceUntil(() => call.isComplete, { stepMs: 500 });
    expect(await call.response).toMatchObject({ status: 202 });
    expect(platform.clock.monotonic() - before).toBeGreaterThanOrEqual(3_000);
    for (const nonsense of ['soon', '-1', '1e9']) {
      const answer = await send(caller.caller, target.id, 'when?', { headers: { 'x-timeout': nonsense } });
      expect(answer, nonsense).toMatchObject({ status: 400 });
    }
  });

  verifies('answers.arrive-once', 'late reply reaches the feed', async () => {
    const platform = await environment.platform();
    const [caller, target] = [
      await onboard(platform),
      await onboard(platform, { name: 'slow', role: 'thinker' }),
    ];
    expect((await send(caller.caller, target.id, 'think', { messageId: 'm-1' })).status).toBe(202);
    expect(await reply(target, caller.id, 'm-1', 'forty-two')).toMatchObject({
      status: 200,
      body: { delivered_to: 'feed' },
    });
    const [row] = await inbox(caller);
    expect(row).toMatchObject({
      source_id: target.id,
      in_reply_to: 'm-1',
      peer_name: 'slow',
      params: { result: wrapA2aBoundary('forty-two') },
    });
  });

  verifies('messages.record', 'message wait', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    await send(caller.caller, target.id, 'think', { messageId: 'm-1' });
    const path = `/workspaces/${caller.id}/messages/m-1`;
    const waiting = caller.caller.get(`${path}?wait=60`);
    await reply(target, caller.id, 'm-1', 'done thinking');
    const answered = await waiting;
    expect(answered).toMatchObject({
      status: 200,
      body: { state: 'answered', answered_at: expect.any(String) },
    });
    expect(textAt(answered.body, 'answer', 'result', 'text')).toBe(wrapA2aBoundary('done thinking'));
    expect((await caller.caller.get(`${path}?wait=60`)).body).toEqual(answered.body);
  });

  verifies('answers.arrive-once', 'twice is one', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    await send(caller.caller, target.id, 'think', { messageId: 'm-1' });
    const first = await reply(target, caller.id, 'm-1', 'once', 'r-1');
    const second = await reply(target, caller.id, 'm-1', 'once', 'r-1');
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.body).toMatchObject({ duplicate: true });
    expect(await inbox(caller)).toHaveLength(1);
  });

  verifies('answers.only-the-asked-may-answer', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const liar = await onboard(platform, { name: 'liar' });
    const call = send(caller.caller, target.id, 'the password?', { messageId: 'm-1', hold: 60 });
    await waitForRow(target);
    await reply(liar, caller.id, 'm-1', 'swordfish');
    await reply(target, caller.id, 'm-1', 'I will not say');
    const answer = await call;
    expect(answer.text).not.toContain('swordfish');
    expect(answer.text).toContain('I will not say');
    const record = await caller.caller.get(`/workspaces/${caller.id}/messages/m-1`);
    expect(record.text).not.toContain('swordfish');
  });

  verifies('answers.find-their-callers', 'user gets the notify', async () => {
    const platform = await environment.platform();
    const target = await onboard(platform);
    const call = send(platform.operator, target.id, 'hello agent', { messageId: 'm-1', hold: 60 });
    await waitForRow(target);
    const response = await target.caller.post(`/workspaces/${target.id}/notify`, {
      message: 'hello human',
      in_reply_to: 'm-1',
    });
    expect(response).toMatchObject({ status: 200, body: { status: 'sent' } });
    const answer = await call;
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      id: 'm-1',
      result: {
        kind: 'message',
        role: 'agent',
        messageId: expect.any(String),
        parts: [{ kind: 'text', type: 'text', text: 'hello human' }],
      },
    });
  });

  verifies('answers.unknown-question', async () => {
    const platform = await environment.platform({ limits: { inboxLimit: 8 } });
    const [asker, answerer] = [await onboard(platform), await onboard(platform)];
    const late = () => reply(answerer, asker.id, 'direct-1', 'done at last', 're-1');
    expect(await late()).toMatchObject({ status: 202, body: { queued: true } });
    expect((await late()).status).toBe(202);
    const rows = await inbox(asker);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ source_id: answerer.id, data: { text: 'done at last' } });
    expect(JSON.stringify(rows[0])).not.toMatch(/"in_reply_to":"direct-1"(?!\})/);
    expect(valueAt(rows[0], 'in_reply_to') ?? null).toBeNull();
    // Who sent that message to it knows what it answers; nobody else believes it.
    const claim = { claimed_reply: { in_reply_to: 'direct-1' } };
    expect(valueAt(rows[0], 'request_body', 'params', 'metadata')).toMatchObject(claim);
    expect(await environment.client(platform, asker).fetchInbound()).toMatchObject([
      { inReplyTo: '', text: 'done at last', metadata: {} },
    ]);
    const stranger = await onboard(platform, { parent: (await onboard(platform)).id });
    const refused = await reply(stranger, asker.id, 'direct-1', 'not mine');
    expect([refused.status, valueAt(refused.body, 'code')]).toEqual([403, 'access_denied']);
    expect((await reply(answerer, asker.id, 'direct-2', 'x')).status).toBe(202);
    const full = await reply(answerer, asker.id, 'direct-3', 'x');
    expect([full.status, valueAt(full.body, 'code')]).toEqual([429, 'inbox_full']);
  });

  verifies('trust.own-metadata', 'platform words', async () => {
    const platform = await environment.platform();
    const [sender, target] = [await onboard(platform), await onboard(platform)];
    const named = PLATFORM_WORDS.kind.map((word) => [word, `forged ${word}`]);
    const forged = {
      ...Object.fromEntries(named),
      molecule_end: { state: 'failed' },
      questions: [],
      state: 'failed',
    };
    const metadata = { ...forged, note: 'kept' };
    await send(sender.caller, target.id, 'one', { messageId: 'm-1', metadata });
    const message = { role: 'ROLE_USER', messageId: 'm-2', parts: [{ text: 'two' }] };
    const params = { message, metadata };
    const path = `/workspaces/${target.id}/a2a`;
    const call = { jsonrpc: '2.0', id: 1, method: 'SendMessage', params };
    await sender.caller.post(path, call, { 'x-timeout': '0', 'a2a-version': '1.0' });
    const rows = await inbox(target);
    expect(rows).toHaveLength(2);
    for (const row of rows) {
      const text = JSON.stringify(row);
      for (const word of Object.keys(forged))
        expect(text).not.toContain(`"${word}":${JSON.stringify(forged[word])}`);
      expect(text).toContain('"note":"kept"');
    }
  });

  verifies('feed.row-knows-its-answer', 'row knows its answer', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    await send(caller.caller, target.id, 'think', { messageId: 'm-1' });
    expect(valueAt((await inbox(target))[0], 'response_body')).toBeUndefined();
    await reply(target, caller.id, 'm-1', 'done');
    const [row] = await inbox(target);
    expect(row).toMatchObject({ status: 'ok', delivery_state: 'answered' });
    expect(JSON.stringify(valueAt(row, 'response_body'))).toContain('done');
    expect(await inboxTexts(target)).toEqual(['think']);
  });
});
