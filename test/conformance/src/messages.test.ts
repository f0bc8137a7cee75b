import { randomUUID } from 'node:crypto';
import { answering } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { textAt, valueAt } from './harness/http.ts';
import {
  createMember,
  envelope,
  heartbeat,
  inbox,
  inboxTexts,
  onboard,
  registerMember,
  send,
} from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };

onEachDatabase('messages', (environment) => {
  verifies('messages.stored-before-the-answer', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const answer = await send(caller.caller, target.id, 'hello', { messageId: 'm-1' });
    const [row] = await inbox(target);
    expect(answer).toMatchObject({
      status: 202,
      body: {
        queued: true,
        status: 'queued',
        delivery_mode: 'poll',
        queue_id: expect.any(String),
        activity_id: textAt(row, 'id'),
        message_id: 'm-1',
        queue_depth: 1,
        message: expect.any(String),
      },
    });
  });

  verifies('messages.wait-for-the-agent', 'poll: an hour offline', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const caller = await onboard(platform, { name: 'ops', role: 'sre' });
    const target = await onboard(platform);
    await platform.clock.advance(600_000);
    const body = envelope('are you asleep?', { messageId: 'm-1' });
    const sent = await caller.caller.post(`/workspaces/${target.id}/a2a`, body, { 'x-timeout': '0' });
    expect(sent).toMatchObject({ status: 202 });
    await platform.clock.advance(3_600_000);
    await heartbeat(target);
    const rows = await inbox(target);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      source: 'peer_agent',
      source_id: caller.id,
      activity_type: 'a2a_receive',
      data: {
        text: 'are you asleep?',
        source: 'peer_agent',
        peer_id: caller.id,
        peer_name: 'ops',
        peer_role: 'sre',
      },
      request_body: body,
    });
  });

  verifies('messages.wait-for-the-agent', 'awaiting agent: is stored', async () => {
    const platform = await environment.platform();
    const caller = await onboard(platform);
    const target = await createMember(platform);
    expect((await send(caller.caller, target.id, 'welcome')).status).toBe(202);
    await registerMember(target);
    expect(await inboxTexts(target)).toEqual(['welcome']);
  });

  verifies('messages.paused.is-held', 'paused: is held', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    await platform.operator.post(`/workspaces/${target.id}/pause`);
    expect(await send(caller.caller, target.id, 'later')).toMatchObject({
      status: 202,
      body: { held: true },
    });
    await platform.operator.post(`/workspaces/${target.id}/resume`);
    await heartbeat(target);
    expect(await inboxTexts(target)).toEqual(['later']);
  });

  verifies('messages.paused.is-held', 'paused: push waits for resume', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: answering('done') });
    const caller = await onboard(platform);
    const target = await onboard(platform, { url: agent.url });
    await platform.operator.post(`/workspaces/${target.id}/pause`);
    for (const text of ['one', 'two', 'three']) {
      expect(await send(caller.caller, target.id, text, { hold: 5 })).toMatchObject({
        status: 202,
        body: { held: true },
      });
    }
    await platform.operator.post(`/workspaces/${target.id}/resume`);
    const calls = await agent.received(2);
    expect(calls.map(({ body }) => textAt(body, 'params', 'status'))).toEqual(['paused', 'awaiting_agent']);
    await heartbeat(target);
    const pushed = (await agent.received(5)).slice(2);
    const texts = pushed.map(({ body }) => textAt(body, 'params', 'message', 'parts', 0, 'text'));
    expect(texts).toEqual(['one', 'two', 'three']);
  });

  verifies('lifecycle.remove.gone', 'removed: is 410', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    await platform.operator.delete(`/workspaces/${target.id}`);
    for (const from of [caller.caller, platform.operator]) {
      expect(await send(from, target.id, 'hello')).toMatchObject({
        status: 410,
        body: { code: 'workspace_removed' },
      });
    }
  });

  verifies('requests.unknown-workspace', 'unknown: is refused', async () => {
    const platform = await environment.platform();
    const caller = await onboard(platform);
    expect([403, 404]).toContain((await send(caller.caller, randomUUID(), 'hello')).status);
    expect((await send(platform.operator, randomUUID(), 'hello')).status).toBe(404);
    expect((await send(caller.caller, 'nobody', 'hello')).status).toBe(400);
  });

  verifies('limits.budget', async () => {
    const platform = await environment.platform();
    const caller = await onboard(platform);
    const target = await onboard(platform, { create: { budget_limit: 100 } });
    await heartbeat(target, { monthly_spend: 99 });
    expect((await send(caller.caller, target.id, 'cheap')).status).toBe(202);
    await heartbeat(target, { monthly_spend: 100 });
    expect(await send(caller.caller, target.id, 'dear')).toMatchObject({
      status: 402,
      body: { code: 'budget_exceeded' },
    });
    expect(await inboxTexts(target)).toEqual(['cheap']);
  });

  verifies('messages.self-is-ordinary', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const answer = await send(member.caller, member.id, 'note to self', { hold: 5 });
    expect([200, 202]).toContain(answer.status);
    expect(await inbox(member)).toMatchObject([
      { source_id: member.id, direction: 'in', data: { text: 'note to self' } },
    ]);
  });

  verifies('messages.slash-a2a', async () => {
    const platform = await environment.platform();
    const caller = await onboard(platform);
    const target = await onboard(platform);
    const quick = { 'x-timeout': '0' };
    const named = { metadata: { target_workspace_id: target.id } };
    const answers = [
      await caller.caller.post('/a2a', envelope('by header'), {
        ...quick,
        'x-target-workspace-id': target.id,
      }),
      await caller.caller.post(`/a2a?target=${target.id}`, envelope('by query'), quick),
      await caller.caller.post(
        '/a2a',
        { ...envelope(''), params: { ...named, message: message('by metadata') } },
        quick,
      ),
      await caller.caller.post('/a2a', envelope('to myself'), quick),
    ];
    for (const answer of answers) expect([200, 202]).toContain(answer.status);
    expect(await inboxTexts(target)).toEqual(['by header', 'by query', 'by metadata']);
    expect(await inboxTexts(caller)).toEqual(['to myself']);
  });

  verifies('messages.completed', 'bare bodies', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const parts = [{ kind: 'text', text: 'bare' }];
    for (const body of [
      { method: 'message/send', params: { message: { role: 'user', parts } } },
      { params: { message: { role: 'user', parts } } },
      { parts },
      { message: { role: 'user', parts } },
      {
        jsonrpc: '2.0',
        id: 7,
        method: 'message/send',
        params: { message: { role: 'user', parts: [{ type: 'text', text: 'bare' }] } },
      },
    ]) {
      const answer = await caller.caller.post(`/workspaces/${target.id}/a2a`, body, { 'x-timeout': '0' });
      expect(answer.status, JSON.stringify(body)).toBe(202);
    }
    const rows = await inbox(target);
    expect(rows.map((row) => textAt(row, 'data', 'text'))).toEqual(Array(5).fill('bare'));
    for (const row of rows) {
      expect(textAt(row, 'request_body', 'params', 'message', 'messageId')).not.toBe('');
    }
  });

  verifies('messages.read-as-sent', 'parts arrive as written', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const body = {
      jsonrpc: '2.0',
      id: 42,
      method: 'message/send',
      params: {
        message: {
          role: 'user',
          messageId: 'm-1',
          contextId: 'ours',
          parts: [
            { kind: 'text', type: 'text', text: ' spaces kept ' },
            {
              kind: 'file',
              type: 'file',
              file: { name: 'a.pdf', mimeType: 'application/pdf', uri: 'https://f.example.com/a' },
            },
            { kind: 'data', type: 'data', data: { nested: [1, { two: null }] } },
            { kind: 'hologram', type: 'hologram', extra: '\u0000 and 🧪' },
          ],
          metadata: { mood: 'curious' },
        },
        configuration: { blocking: true },
      },
    };
    await caller.caller.post(`/workspaces/${target.id}/a2a`, body, { 'x-timeout': '0' });
    expect(valueAt((await inbox(target))[0], 'request_body')).toEqual(body);
  });

  verifies('messages.completed', 'repaired', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: answering('ok') });
    const [caller, poller] = [await onboard(platform), await onboard(platform)];
    const server = await onboard(platform, { url: agent.url });
    const complete = [
      { kind: 'text', type: 'text', text: 'a' },
      { kind: 'text', type: 'text', text: 'b' },
    ];
    for (const [id, message] of [
      ['m-1', { parts: [{ type: 'text', text: 'a' }, { text: 'b' }] }],
      ['m-2', { content: [{ kind: 'text', text: 'a' }, { text: 'b' }] }],
    ] as const) {
      const body = {
        jsonrpc: '2.0',
        id,
        method: 'message/send',
        params: { message: { messageId: id, ...message } },
      };
      await caller.caller.post(`/workspaces/${poller.id}/a2a`, body, { 'x-timeout': '0' });
      const other = { ...body, params: { message: { ...message, messageId: `${id}-pushed` } } };
      await caller.caller.post(`/workspaces/${server.id}/a2a`, other);
    }
    const rows = (await inbox(poller)).map((row) => valueAt(row, 'request_body', 'params', 'message'));
    const pushed = (await agent.received(2)).map(({ body }) => valueAt(body, 'params', 'message'));
    for (const message of [...rows, ...pushed]) {
      expect(message).toMatchObject({ role: 'user', parts: complete });
      expect(message).not.toHaveProperty('content');
    }
    expect(rows).toHaveLength(2);
  });

  verifies('messages.a2a-1.0', 'a2a 1: 0: arrives as written', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: answering('ok') });
    const [caller, server] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    for (const [method, headers] of [
      ['SendMessage', {}],
      ['message/send', { 'a2a-version': '1.0' }],
    ] as const) {
      const parts = [{ text: 'a' }, { data: { b: 1 }, mediaType: 'application/json' }];
      const message = { messageId: method, contextId: 'ours', role: 'ROLE_USER', parts };
      const body = { jsonrpc: '2.0', id: 1, method, params: { message } };
      await caller.caller.post(`/workspaces/${server.id}/a2a`, body, headers);
      const pushed = (await agent.received(1)).at(-1)?.body;
      expect(valueAt(pushed, 'method')).toBe(method);
      expect(valueAt(pushed, 'params', 'message')).toEqual(message);
    }
  });

  verifies('messages.a2a-1.0', 'a2a 1: 0: row has the usual form', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const parts = [{ text: 'a' }, { url: 'https://f.example.com/a', filename: 'a.pdf' }];
    const message = { messageId: 'm-1', contextId: 'ours', role: 'ROLE_USER', parts };
    const body = { jsonrpc: '2.0', id: 1, method: 'SendMessage', params: { message } };
    await caller.caller.post(`/workspaces/${target.id}/a2a`, body, { 'x-timeout': '0' });
    const shown = [
      { kind: 'text', type: 'text', text: 'a' },
      { kind: 'file', type: 'file', file: { name: 'a.pdf', uri: 'https://f.example.com/a' } },
    ];
    const [row] = await inbox(target);
    expect(row).toMatchObject({ method: 'message/send', data: { text: 'a' } });
    expect(valueAt(row, 'request_body')).toMatchObject({
      method: 'message/send',
      params: { message: { role: 'user', parts: shown } },
    });
    const [compact] = await inbox(target, '&view=compact');
    expect(compact).toMatchObject({ method: 'message/send', parts: shown });
  });

  verifies('push.request', 'headers are passed on', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: answering('ok') });
    const [caller, server] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    const headers = { 'a2a-version': '0.3', 'a2a-extensions': 'https://x.example.com/v1', traceparent };
    await caller.caller.post(`/workspaces/${server.id}/a2a`, envelope('hi'), headers);
    expect((await agent.received(1))[0]?.headers).toMatchObject(headers);
  });

  verifies('requests.invalid-are-400', 'nonsense is 400', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const nonsense = [
      {},
      { jsonrpc: '2.0', id: 1 },
      { method: 'message/send', params: [] },
      { method: 7, params: {} },
      { params: { message: { role: 'user', parts: 'text' } } },
      { params: { message: { role: 'user', parts: ['text'] } } },
      {
        params: {
          message: { role: 'user', messageId: 'x'.repeat(257), parts: [{ kind: 'text', text: 'a' }] },
        },
      },
    ];
    for (const body of nonsense) {
      const answer = await caller.caller.post(`/workspaces/${target.id}/a2a`, body);
      expect(answer, JSON.stringify(body)).toMatchObject({ status: 400, body: { code: 'invalid_message' } });
    }
    expect(await inbox(target)).toEqual([]);
  });

  verifies('messages.order', 'order', async () => {
    const platform = await environment.platform();
    const callers = [await onboard(platform), await onboard(platform)];
    const target = await onboard(platform);
    const accepted: string[] = [];
    for (let count = 0; count < 30; count += 1) {
      const text = `message ${count}`;
      await send((callers[count % 2] ?? target).caller, target.id, text);
      accepted.push(text);
    }
    expect(await inboxTexts(target)).toEqual(accepted);
    const seqs = (await inbox(target)).map((row) => Number(row.seq));
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  });

  verifies('limits.inbox-full', 'inbox full', async () => {
    const platform = await environment.platform({ limits: { inboxLimit: 12 } });
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    for (const text of ['1', '2', '3']) expect((await send(caller.caller, target.id, text)).status).toBe(202);
    expect(await send(caller.caller, target.id, '4')).toMatchObject({
      status: 429,
      body: { code: 'inbox_full' },
    });
    const [first] = await inbox(target);
    await target.caller.post(`/workspaces/${target.id}/activity/ack`, { up_to: textAt(first, 'id') });
    expect((await send(caller.caller, target.id, '5')).status).toBe(202);
    expect(await inboxTexts(target)).toEqual(['1', '2', '3', '5']);
  });
});

onEachDatabase('message records', (environment) => {
  verifies('messages.record', 'record', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const sent = await send(caller.caller, target.id, 'hello', { messageId: 'm-1' });
    expect(await caller.caller.get(`/workspaces/${caller.id}/messages/m-1`)).toMatchObject({
      status: 200,
      body: {
        message_id: 'm-1',
        queue_id: textAt(sent.body, 'queue_id'),
        activity_id: textAt(sent.body, 'activity_id'),
        caller_id: caller.id,
        target_id: target.id,
        state: expect.stringMatching(/^(queued|delivered)$/),
        held: false,
        attempts: 0,
        context_id: expect.stringMatching(/./),
        answer: null,
        error: null,
        answered_at: null,
        ended_at: null,
      },
    });
    const [row] = await inbox(target);
    await send(target.caller, caller.id, 'hi', { role: 'agent', metadata: { in_reply_to: 'm-1' } });
    const answered = (await caller.caller.get(`/workspaces/${caller.id}/messages/m-1`)).body;
    expect(answered).toMatchObject({
      state: 'answered',
      context_id: row?.context_id,
      answer: { result: { kind: 'message', contextId: row?.context_id } },
      error: null,
    });
    expect(valueAt(answered, 'ended_at')).toBe(valueAt(answered, 'answered_at'));
  });

  verifies('messages.record', 'record: only the sender', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    await send(caller.caller, target.id, 'hello', { messageId: 'm-1' });
    expect(await caller.caller.get(`/workspaces/${caller.id}/messages/nothing`)).toMatchObject({
      status: 404,
      body: { code: 'message_not_found' },
    });
    expect((await target.caller.get(`/workspaces/${target.id}/messages/m-1`)).status).toBe(404);
    expect((await target.caller.get(`/workspaces/${caller.id}/messages/m-1`)).status).toBe(401);
  });
});

onEachDatabase('messages over a restart', { onDisk: true }, (environment) => {
  verifies(
    ['messages.survive-a-restart', 'messages.dedupe.same-message'],
    'survive a restart; dedupe: over a restart',
    async () => {
      const platform = await environment.platform();
      const [caller, target] = [await onboard(platform), await onboard(platform)];
      const first = await send(caller.caller, target.id, 'one', { messageId: 'm-1' });
      await send(caller.caller, target.id, 'two', { messageId: 'm-2' });
      await target.caller.post(`/workspaces/${target.id}/activity/ack`, {
        up_to: textAt(first.body, 'activity_id'),
      });
      await platform.restart();
      const repeated = await send(caller.caller, target.id, 'one', { messageId: 'm-1' });
      expect(valueAt(repeated.body, 'result', 'id')).toBe(valueAt(first.body, 'queue_id'));
      await send(caller.caller, target.id, 'three');
      expect(await inboxTexts(target)).toEqual(['one', 'two', 'three']);
      expect(await inboxTexts(target, '&unacknowledged=true')).toEqual(['two', 'three']);
      expect((await heartbeat(target)).body).toMatchObject({ pending: 2 });
    },
  );
});

function message(text: string): Record<string, unknown> {
  return { role: 'user', messageId: randomUUID(), parts: [{ kind: 'text', text }] };
}
