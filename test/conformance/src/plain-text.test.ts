import { randomUUID } from 'node:crypto';
import { buildSendMessage, errorBodyOf } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { type Caller, textAt, valueAt } from './harness/http.ts';
import { envelope, heartbeat, inbox, type Member, onboard, send } from './harness/members.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const HOSTILE = ['left\0right', 'left\ud800right', 'left\udc00'];
/** Every kind of character that some column, encoder or parser changes. */
const ANY_TEXT = 'nul \0, halves \ud800 and \udc00, whole 😀, control \u0001\u0085\u2028, \\u0000, �';

type Body = Readonly<Record<string, unknown>>;
/** The caller, the request with one hostile text, and the name of its field. */
type Case = readonly [Caller, 'POST' | 'PATCH', string, (text: string) => Body, string];

onEachDatabase('plain text', (environment) => {
  verifies('requests.invalid-are-400', 'plain text', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const peer = await onboard(platform);
    const [row] = await rowsAfter(peer, member);
    for (const text of HOSTILE) {
      for (const [caller, method, path, body, field] of bodyCases(platform, member, textAt(row, 'id'))) {
        const response = await caller.send({ method, path, body: body(text) });
        expect(response.status, `${method} ${path} ${field} ${response.text}`).toBe(400);
        const error = errorBodyOf(response.body);
        expect(['invalid_request', 'invalid_message']).toContain(textAt(error, 'code'));
        expect(textAt(error, 'field'), `${method} ${path}`).toBe(field);
      }
    }
    for (const [path, field] of [
      [`/workspaces/${member.id}/messages/left%00right`, 'messageId'],
      [`/workspaces/${member.id}/activity?type=a2a%00`, 'type'],
      [`/workspaces/${member.id}/activity?since_id=%00`, 'since_id'],
      [`/workspaces/${member.id}/messages?state=%00`, 'state'],
      [`/workspaces/${member.id}/tokens?limit=%00`, 'limit'],
      [`/registry/${member.id}/peers?q=%00`, 'q'],
    ] as const) {
      const response = await member.caller.get(path);
      expect(response, path).toMatchObject({ status: 400, body: { code: 'invalid_request', field } });
    }
    expect(await inbox(member)).toHaveLength(1);
    expect(await platform.operator.get(`/workspaces/${member.id}`)).toMatchObject({
      body: { name: 'agent', role: null, url: '', agent_card: { name: 'agent' } },
    });
  });

  verifies('requests.invalid-are-400', 'ambiguous urls', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const create = (url: string) => platform.operator.post('/workspaces', { name: 'a', external: true, url });
    const card = (url: string) => ({ id: member.id, agent_card: { name: 'agent', url } });
    for (const url of [
      'http://example.com:80\\@127.0.0.1/',
      'ht\ntp://example.com/',
      'http://exa\tmple.com/',
      'http://example.com/\u0000',
      'http://example.com/\u007f',
    ]) {
      for (const [response, field] of [
        [await create(url), 'url'],
        [await platform.operator.patch(`/workspaces/${member.id}`, { url }), 'url'],
        [await member.caller.post('/registry/register', { id: member.id, url }), 'url'],
        [await member.caller.post('/registry/register', card(url)), 'agent_card.url'],
        [await member.caller.post('/registry/update-card', card(url)), 'agent_card.url'],
        [await heartbeat(member, card(url)), 'agent_card.url'],
      ] as const) {
        expect(response, JSON.stringify(url)).toMatchObject({
          status: 400,
          body: { code: 'invalid_request', field },
        });
      }
    }
    expect(await create('https://example.com/a%5Cb?q=%00')).toMatchObject({ status: 201 });
  });

  verifies('messages.read-as-sent', 'message text survives', async () => {
    const platform = await environment.platform();
    const caller = await onboard(platform);
    const card = { name: ANY_TEXT, skills: [ANY_TEXT], anything: { [ANY_TEXT]: ANY_TEXT } };
    const target = await onboard(platform, { card });
    expect(valueAt((await platform.operator.get(`/workspaces/${target.id}`)).body, 'agent_card')).toEqual(
      card,
    );

    const messageId = randomUUID();
    const sent = envelope(ANY_TEXT, { messageId, contextId: 'talk', metadata: { note: ANY_TEXT } });
    await caller.caller.post(`/workspaces/${target.id}/a2a`, sent, { 'x-timeout': '0' });
    const [row] = await inbox(target);
    expect(row).toMatchObject({ message_id: messageId, request_body: sent, data: { text: ANY_TEXT } });

    const reply = envelope(`answer ${ANY_TEXT}`, { role: 'agent', metadata: { in_reply_to: messageId } });
    await target.caller.post(`/workspaces/${caller.id}/a2a`, reply);
    const status = await caller.caller.get(`/workspaces/${caller.id}/messages/${messageId}`);
    expect(JSON.stringify(valueAt(status.body, 'answer'))).toContain(JSON.stringify(ANY_TEXT).slice(1, -1));
    const [late] = await inbox(caller);
    expect(textAt(late, 'data', 'text')).toContain(ANY_TEXT);

    const asked = randomUUID();
    await send(caller.caller, target.id, 'which one?', { messageId: asked });
    const questions = [{ id: 'q', kind: 'text', from: 'sender', text: ANY_TEXT }];
    const question = buildSendMessage({
      messageId: randomUUID(),
      role: 'agent',
      text: 'That depends.',
      metadata: { in_reply_to: asked, questions },
    });
    await target.caller.post(`/workspaces/${caller.id}/a2a`, question);
    const list = `/workspaces/${target.id}/questions`;
    expect(await target.caller.get(list)).toMatchObject({ body: { questions: [{ text: ANY_TEXT }] } });
    const given = { text: `answer ${ANY_TEXT}` };
    expect(await platform.operator.post(`${list}/q/answer`, given)).toMatchObject({
      body: { question: { text: ANY_TEXT, answer: given.text } },
    });
    expect(JSON.stringify((await inbox(target)).at(-1))).toContain(JSON.stringify(given.text).slice(1, -1));

    // The platform makes a summary of the first, and of the second the reason why a message failed.
    await target.caller.post(`/workspaces/${target.id}/notify`, { message: ANY_TEXT });
    const failing = await send(caller.caller, target.id, 'fail, please');
    const outcome = { activity_id: textAt(failing.body, 'activity_id'), outcome: 'failed' };
    const error = { message: ANY_TEXT };
    await target.caller.post(`/workspaces/${target.id}/activity/ack`, { outcomes: [{ ...outcome, error }] });
    await target.caller.post(`/workspaces/${target.id}/activity`, {
      activity_type: 'agent_log',
      request_body: { said: ANY_TEXT },
    });
    const history = await target.caller.get(`/workspaces/${target.id}/activity?direction=all&order=asc`);
    const shown = 'nul �, halves � and �, whole 😀';
    expect(history.body).toMatchObject([
      { summary: 'message/send → agent' },
      { summary: 'message/send → agent' },
      {},
      { summary: expect.stringContaining(shown), response_body: { result: ANY_TEXT } },
      { delivery_state: 'failed', error_detail: expect.stringContaining(shown) },
      { request_body: { said: ANY_TEXT } },
    ]);
    const failure = (await inbox(caller)).at(-1);
    expect(textAt(failure, 'data', 'text')).toContain(ANY_TEXT);
  });
});

/** Sends one message and returns the inbox of its target. */
async function rowsAfter(from: Member, to: Member): Promise<Record<string, unknown>[]> {
  await send(from.caller, to.id, 'hello');
  return inbox(to);
}

/** Every plain text of every body that this platform serves. */
function bodyCases(platform: RunningPlatform, { id, caller }: Member, rowId: string): Case[] {
  const own = `/workspaces/${id}`;
  const created = (body: (text: string) => Body, field: string): Case => [
    platform.operator,
    'POST',
    '/workspaces',
    (text) => ({ name: 'a', external: true, ...body(text) }),
    field,
  ];
  const messages = (body: (text: string) => Body, field: string): Case => [
    caller,
    'POST',
    `${own}/a2a`,
    (text) => ({ jsonrpc: '2.0', id: '1', method: 'message/send', ...body(text) }),
    field,
  ];
  const message = (extra: Body): Body => ({
    params: {
      message: { role: 'user', messageId: randomUUID(), parts: [{ kind: 'text', text: 'hi' }], ...extra },
    },
  });
  const reports = (field: string): Case => [
    caller,
    'POST',
    `${own}/activity`,
    (text) => ({ activity_type: 'agent_log', [field]: text }),
    field,
  ];
  return [
    created((name) => ({ name }), 'name'),
    created((role) => ({ role }), 'role'),
    created((runtime) => ({ runtime }), 'runtime'),
    created((url) => ({ url: `https://example.com/${url}` }), 'url'),
    created((model) => ({ model }), 'model'),
    created((template) => ({ template }), 'template'),
    created((text) => ({ workspace_dir: text }), 'workspace_dir'),
    created((text) => ({ parent_id: text }), 'parent_id'),
    [platform.operator, 'PATCH', own, (name) => ({ name }), 'name'],
    [platform.operator, 'PATCH', own, (role) => ({ role }), 'role'],
    [platform.operator, 'PATCH', own, (runtime) => ({ runtime }), 'runtime'],
    [platform.operator, 'PATCH', own, (text) => ({ workspace_dir: text }), 'workspace_dir'],
    [
      platform.operator,
      'POST',
      '/registry/check-access',
      (text) => ({ caller_id: text, target_id: id }),
      'caller_id',
    ],
    [caller, 'POST', '/registry/register', (text) => ({ id, workspace_id: text }), 'workspace_id'],
    [
      caller,
      'POST',
      '/registry/heartbeat',
      (text) => ({ workspace_id: id, current_task: text }),
      'current_task',
    ],
    [
      caller,
      'POST',
      '/registry/heartbeat',
      (text) => ({ workspace_id: id, sample_error: text }),
      'sample_error',
    ],
    [
      caller,
      'POST',
      '/registry/heartbeat',
      (text) => ({ workspace_id: id, runtime_state: text }),
      'runtime_state',
    ],
    [caller, 'POST', '/registry/goodbye', (text) => ({ workspace_id: id, instance_id: text }), 'instance_id'],
    [caller, 'POST', `${own}/activity/ack`, (text) => ({ up_to: text }), 'up_to'],
    [
      caller,
      'POST',
      `${own}/activity/ack`,
      (text) => ({ up_to: rowId, outcomes: [{ activity_id: text, outcome: 'unanswered' }] }),
      'outcomes[0].activity_id',
    ],
    ...['method', 'summary', 'target_id', 'source_id', 'status', 'error_detail'].map(reports),
    [
      caller,
      'POST',
      `${own}/notify`,
      (text) => ({ message: 'hi', idempotency_key: text }),
      'idempotency_key',
    ],
    [caller, 'POST', `${own}/notify`, (text) => ({ message: 'hi', in_reply_to: text }), 'in_reply_to'],
    messages((text) => ({ ...message({}), method: text }), 'method'),
    messages((text) => message({ messageId: text }), 'params.message.messageId'),
    messages((text) => message({ contextId: text }), 'params.message.contextId'),
    messages((text) => message({ taskId: text }), 'params.message.taskId'),
    ...['trace_id', 'in_reply_to', 'delegation_id', 'parent_message_id'].map((key) =>
      messages((text) => message({ metadata: { [key]: text } }), `params.message.metadata.${key}`),
    ),
    messages((text) => ({ method: 'tasks/cancel', params: { id: text } }), 'params.id'),
  ];
}
