import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import { eventually, say } from '../../test/scripted-agent.ts';

let running: RunningPlatform;
let asker: { id: string; token: string };
let poller: { id: string; token: string };
beforeAll(async () => {
  running = await startPlatform({ contractCheck: 'responses', inboxLimit: 20 });
  asker = await running.join({ name: 'asker' });
  poller = await running.join({ name: 'poller' });
});
afterAll(() => running.platform.close());

const post = (
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
  token: string | null = asker.token,
) => running.call('POST', path, { token, body, headers: { 'x-timeout': '0', ...headers } });

const rowsOf = async (id: string) =>
  (await running.call('GET', `/workspaces/${id}/activity?direction=all`)).body;

describe('who may send', () => {
  it('is decided before anything is stored', async () => {
    const parent = await running.join({ name: 'parent' });
    const cousin = await running.join({ name: 'cousin', parent_id: parent.id });
    const path = `/workspaces/${cousin.id}/a2a`;
    expect(await post(path, say('x', 'w1'))).toMatchObject({ status: 403, body: { code: 'access_denied' } });
    expect((await post(path, say('x', 'w2'), {}, null)).status).toBe(401);
    expect((await post(path, say('x', 'w3'), { 'x-workspace-id': cousin.id })).body.code).toBe(
      'caller_mismatch',
    );
    const unknown = '/workspaces/11111111-2222-4333-8444-555555555555/a2a';
    expect(await post(unknown, say('x', 'w4'))).toMatchObject({
      status: 403,
      body: { code: 'access_denied' },
    });
    expect(await post(unknown, say('x', 'w5'), {}, running.platform.operatorKey)).toMatchObject({
      status: 404,
    });
    expect(await rowsOf(cousin.id)).toEqual([]);
  });

  it('is decided by the token, not by a header', async () => {
    await post(`/workspaces/${poller.id}/a2a`, say('x', 'named'), { 'x-source-workspace-id': asker.id });
    expect((await rowsOf(poller.id))[0]).toMatchObject({ message_id: 'named', source_id: asker.id });
    await running.call('POST', `/workspaces/${poller.id}/activity/ack`, { body: { up_to: 1_000_000 } });
  });

  it('is refused when the budget of the target is spent', async () => {
    const spender = await running.join({ name: 'spender', budget_limit: 5 });
    const early = await post(`/workspaces/${spender.id}/a2a`, say('early', 'w5'));
    expect(early.status).toBe(202);
    const beat = { workspace_id: spender.id, monthly_spend: 5 };
    await running.call('POST', '/registry/heartbeat', { token: spender.token, body: beat });
    const answer = await post(`/workspaces/${spender.id}/a2a`, say('x', 'w6'));
    expect(answer).toMatchObject({ status: 402, body: { code: 'budget_exceeded' } });
    // A repeat of what was accepted before is the same message, not a new one.
    const again = await post(`/workspaces/${spender.id}/a2a`, say('early', 'w5'));
    expect(again).toMatchObject({ status: 202, body: { queue_id: early.body.queue_id } });
  });

  it('gets 410 for a removed target and as a removed caller', async () => {
    const gone = await running.join({ name: 'gone' });
    await running.call('DELETE', `/workspaces/${gone.id}`);
    const path = `/workspaces/${gone.id}/a2a`;
    const answer = await post(path, say('x', 'w7'));
    expect(answer).toMatchObject({ status: 410, body: { error: 'workspace removed', id: gone.id } });
    expect(answer.body.removed_at).toEqual(expect.any(String));
    expect((await post(path, say('x', 'w8'), {}, gone.token)).status).toBe(410);
  });
});

describe('bodies', () => {
  const self = () => `/workspaces/${asker.id}/a2a`;
  const ack = () =>
    running.call('POST', `/workspaces/${asker.id}/activity/ack`, { body: { up_to: 1_000_000 } });

  it.each([
    [
      'a bare call',
      {
        method: 'message/send',
        params: { message: { role: 'user', parts: [{ type: 'text', text: 'hi' }] } },
      },
    ],
    ['params alone', { params: { message: { parts: [{ text: 'hi' }] } } }],
    ['parts alone', { parts: [{ kind: 'text', text: 'hi' }] }],
    ['a message alone', { message: { role: 'user', parts: [{ kind: 'text', text: 'hi' }] } }],
    ['a text alone', { message: 'hi' }],
    ['params with parts', { method: 'message/send', params: { parts: [{ kind: 'text', text: 'hi' }] } }],
  ])('of %s are accepted and completed', async (_name, body) => {
    const answer = await post(self(), body);
    expect(answer.status).toBe(202);
    const [row] = await rowsOf(asker.id);
    expect(row.data.text).toBe('hi');
    expect(row.request_body).toMatchObject({ jsonrpc: '2.0', method: 'message/send' });
    expect(row.request_body.params.message.messageId).toBe(answer.body.message_id);
    expect(row.message_id).toBe(answer.body.message_id);
    await ack();
  });

  it.each([
    [[], 'invalid_message'],
    ['text', 'invalid_message'],
    [{}, 'invalid_message'],
    [{ jsonrpc: '2.0', id: 1 }, 'invalid_message'],
    [{ method: 5 }, 'invalid_message'],
    [{ method: 'message/send', params: [] }, 'invalid_message'],
    [{ method: 'message/send', params: { message: { parts: [] } } }, 'invalid_message'],
    [{ parts: ['x'] }, 'invalid_message'],
    [{ parts: [{ text: 'x' }], messageId: 7 }, 'invalid_message'],
    [{ parts: [{ text: 'x' }], messageId: 'x'.repeat(257) }, 'invalid_message'],
  ])('such as %j are 400', async (body, code) => {
    expect(await post(self(), body)).toMatchObject({ status: 400, body: { code } });
  });

  it('with an invalid X-Timeout are 400', async () => {
    for (const timeout of ['301', '-1', 'soon', '1.5']) {
      const answer = await post(self(), say('x', 'w9'), { 'x-timeout': timeout });
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request', field: 'X-Timeout' } });
    }
  });

  it('on /a2a name their target in a header, the query or the metadata; without one the caller is the target', async () => {
    const body = { parts: [{ text: 'x' }] };
    const targeted = {
      method: 'message/send',
      params: { message: body, metadata: { target_workspace_id: poller.id } },
    };
    const targets = [
      await post('/a2a', body, { 'x-target-workspace-id': poller.id }),
      await post(`/a2a?target=${poller.id}`, body),
      await post('/a2a', targeted),
    ];
    expect(targets.map((answer) => answer.status)).toEqual([202, 202, 202]);
    expect((await rowsOf(poller.id)).slice(0, 3).map((row: { target_id: string }) => row.target_id)).toEqual([
      poller.id,
      poller.id,
      poller.id,
    ]);
    expect((await post('/a2a', body)).status).toBe(202);
    expect((await rowsOf(asker.id))[0]).toMatchObject({
      source_id: asker.id,
      target_id: asker.id,
      direction: 'in',
    });
    expect(await post('/a2a', body, {}, running.platform.operatorKey)).toMatchObject({ status: 400 });
    await ack();
    await running.call('POST', `/workspaces/${poller.id}/activity/ack`, { body: { up_to: 1_000_000 } });
  });
});

describe('a repeated message', () => {
  const path = () => `/workspaces/${poller.id}/a2a`;

  it('is one row and one answer, also at the same moment', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => post(path(), say('once', 'same'))));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([202]));
    expect(new Set(answers.map((answer) => answer.body.queue_id)).size).toBe(1);
    const rows = (await rowsOf(poller.id)).filter((row: { message_id: string }) => row.message_id === 'same');
    expect(rows).toHaveLength(1);
  });

  it('with another body is 409', async () => {
    const answer = await post(path(), say('other words', 'same'));
    expect(answer).toMatchObject({ status: 409, body: { code: 'message_id_conflict', message_id: 'same' } });
  });

  it('joins the call that is held and gets the same answer, under its own request id', async () => {
    const first = post(path(), say('both', 'joined'), { 'x-timeout': '30' });
    await eventually(async () => (await rowsOf(poller.id))[0]?.message_id === 'joined');
    const second = post(path(), { ...say('both', 'joined'), id: 'another-id' }, { 'x-timeout': '30' });
    const statusPath = `/workspaces/${asker.id}/messages/joined`;
    await eventually(async () => (await running.call('GET', statusPath)).status === 200);
    await post(
      `/workspaces/${asker.id}/a2a`,
      say('for both', 'r1', { in_reply_to: 'joined' }),
      {},
      poller.token,
    );
    const [one, two] = await Promise.all([first, second]);
    expect(one.body).toMatchObject({ id: 'joined', result: { text: expect.stringContaining('for both') } });
    expect(two.body).toMatchObject({ id: 'another-id', result: one.body.result });
  });
});

describe('a full inbox', () => {
  it('is 429 until the agent acknowledges; answers are still accepted', async () => {
    const target = await running.join({ name: 'busy' });
    const path = `/workspaces/${target.id}/a2a`;
    for (let n = 0; n < 5; n += 1) expect((await post(path, say('x', `full-${n}`))).status).toBe(202);
    const refused = await post(path, say('x', 'full-5'));
    expect(refused).toMatchObject({
      status: 429,
      body: { code: 'inbox_full' },
      headers: { 'retry-after': '30' },
    });
    const own = say('asked by the busy one', 'own-question');
    await post(`/workspaces/${asker.id}/a2a`, own, {}, target.token);
    const reply = await post(path, say('answer', 'own-answer', { in_reply_to: 'own-question' }));
    expect(reply.body).toMatchObject({ status: 'answered', delivered_to: 'feed' });
    const ack = await running.call('POST', `/workspaces/${target.id}/activity/ack`, {
      token: target.token,
      body: { up_to: refused.body.activity_id ?? 1_000_000 },
    });
    expect(ack.body.acknowledged).toBe(6);
    expect((await post(path, say('x', 'full-5'))).status).toBe(202);
  });
});
