import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';

let running: RunningPlatform;
let agent: { id: string; token: string };
beforeAll(async () => {
  running = await startPlatform();
  agent = await running.join({ name: 'agent' });
});
afterAll(() => running.platform.close());

const notify = (body: unknown, of = agent) =>
  running.call('POST', `/workspaces/${of.id}/notify`, { token: of.token, body });
const feed = async (query: string) =>
  (await running.call('GET', `/workspaces/${agent.id}/activity?${query}`)).body;

describe('notify', () => {
  it('keeps 81 characters of many bytes, and cuts the summary between characters', async () => {
    const message = '👩‍💻'.repeat(27);
    expect([...message]).toHaveLength(81);
    const answer = await notify({ message });
    expect(answer).toMatchObject({ status: 200, body: { status: 'sent' } });
    expect(await feed('type=a2a_receive')).toEqual([]);
    const [row] = await feed('direction=out');
    expect(row).toMatchObject({
      id: answer.body.activity_id,
      method: 'notify',
      source_id: null,
      direction: 'out',
    });
    expect(row.data.text).toBe(message);
    expect(row.summary).toBe(`Agent message: ${[...message].slice(0, 80).join('')}`);
    expect(row.delivery_state).toBeUndefined();
  });

  it('names files', async () => {
    const attachments = [{ uri: 'workspace:/a.zip', name: 'a.zip', mimeType: 'application/zip', size: 3 }];
    await notify({ message: 'with a file', attachments });
    const [row] = await feed('direction=out');
    expect(row.attachments).toEqual(attachments);
    expect(row.response_body.parts[0].file).toEqual(attachments[0]);
  });

  it.each([
    [{}, 'message', 'message is required'],
    [{ message: '' }, 'message', 'message is required'],
    [{ message: 5 }, 'message', 'message is required'],
    [
      { message: 'x', attachments: [{ uri: 'a' }] },
      'attachments[0]',
      'attachment[0]: uri and name are required',
    ],
    [
      { message: 'x', attachments: [{ uri: 'a', name: 'b' }, 'c'] },
      'attachments[1]',
      'attachment[1]: uri and name are required',
    ],
  ])('refuses %j', async (body, field, error) => {
    const refused = { status: 400, body: { error, field, code: 'invalid_request' } };
    expect(await notify(body)).toMatchObject(refused);
  });

  it('stores a message once for one idempotency key', async () => {
    const body = { message: 'once', idempotency_key: 'k1' };
    const [first, second] = await Promise.all([notify(body), notify(body)]);
    expect(first.body.activity_id).toBe(second.body.activity_id);
    expect([first.body.duplicate, second.body.duplicate].filter(Boolean)).toEqual([true]);
    expect(await notify({ ...body, message: 'other' })).toMatchObject({
      status: 409,
      body: { code: 'idempotency_conflict' },
    });
    const other = await running.join({ name: 'other' });
    expect((await notify(body, other)).body.duplicate).toBeUndefined();
  });

  it('works while paused, and not once removed', async () => {
    const paused = await running.join({ name: 'paused' });
    await running.call('POST', `/workspaces/${paused.id}/pause`);
    expect((await notify({ message: 'x' }, paused)).status).toBe(200);
    await running.call('DELETE', `/workspaces/${paused.id}`);
    expect((await notify({ message: 'x' }, paused)).status).toBe(401);
    const asOperator = await running.call('POST', `/workspaces/${paused.id}/notify`, {
      body: { message: 'x' },
    });
    expect(asOperator).toMatchObject({ status: 404, body: { code: 'workspace_not_found' } });
  });
});
