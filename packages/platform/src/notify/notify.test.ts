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

describe('notify', () => {
  it('keeps characters of many bytes, and cuts the summary between characters', async () => {
    const message = '👩‍💻'.repeat(27);
    const { body } = await notify({ message });
    const path = `/workspaces/${agent.id}/activity?direction=out`;
    const [row] = (await running.call('GET', path)).body;
    expect(row).toMatchObject({ id: body.activity_id, data: { text: message } });
    expect(row.summary).toBe(`Agent message: ${[...message].slice(0, 80).join('')}`);
    expect(row.delivery_state).toBeUndefined();
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
