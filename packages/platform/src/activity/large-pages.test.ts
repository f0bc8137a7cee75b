import { expect, it } from 'vitest';
import { openPlatform } from '../../test/resources-of-test.ts';
import { say } from '../../test/scripted-agent.ts';

it('a page of large messages leaves out its newest rows for an agent without a cursor, and its oldest for people', async () => {
  const running = await openPlatform({ data: { synchronous: 'normal' }, server: { contractCheck: 'off' } });
  const [asker, reader] = [await running.join({ name: 'asker' }), await running.join({ name: 'reader' })];
  const sent = Array.from({ length: 6 }, (_, index) => `large-${index}`);
  for (const id of sent) {
    const body = say('x'.repeat(900_000), id);
    const headers = { 'x-timeout': '0' };
    await running.call('POST', `/workspaces/${reader.id}/a2a`, { token: asker.token, body, headers });
  }
  const read = async (query: string, token?: string) => {
    const path = `/workspaces/${reader.id}/activity?type=a2a_receive&limit=100${query}`;
    const { body } = await running.call('GET', path, token === undefined ? {} : { token });
    return body.map((row: { message_id: string }) => row.message_id);
  };
  const ids = await read('', reader.token);
  expect(ids.length).toBeLessThan(sent.length);
  expect(ids).toEqual(sent.slice(0, ids.length));
  expect((await read('&order=desc', reader.token)).reverse()).toEqual(ids);
  expect((await read(''))[0]).toBe(sent.at(-1));
});

it('a large answer is cut in the row of the message that it answers, and whole where one row is read', async () => {
  const running = await openPlatform({ data: { synchronous: 'normal' } });
  const [asker, target] = [await running.join({ name: 'asker' }), await running.join({ name: 'target' })];
  const send = (from: typeof asker, to: typeof asker, body: unknown) => {
    const headers = { 'x-timeout': '0' };
    return running.call('POST', `/workspaces/${to.id}/a2a`, { token: from.token, body, headers });
  };
  await send(asker, target, say('go', 'question'));
  await send(target, asker, say(`${'w'.repeat(400_000)} end`, 'answer', { in_reply_to: 'question' }));
  const path = `/workspaces/${target.id}/activity`;
  const [row] = (await running.call('GET', path)).body;
  expect([row.message_id, row.truncated]).toEqual(['question', true]);
  expect(JSON.stringify(row.response_body).length).toBeLessThan(300 * 1024);
  const whole = await running.call('GET', `${path}/${row.id}`, { token: target.token });
  expect(JSON.stringify(whole.body.response_body)).toContain('w end');
  // Not by another workspace, whose feed does not have it.
  expect((await running.call('GET', `${path}/${row.id}`, { token: asker.token })).status).toBe(401);
  const foreign = `/workspaces/${asker.id}/activity/${row.id}`;
  expect(await running.call('GET', foreign, { token: asker.token })).toMatchObject({
    status: 404,
    body: { code: 'activity_not_found' },
  });
});
