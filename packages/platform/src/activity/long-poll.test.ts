import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { say } from '../../test/scripted-agent.ts';
import { createTestPlatform } from '../test-platform.ts';

it('a read that found nothing is not made again until something may have changed, and at least every five minutes', async () => {
  const texts: string[] = [];
  await using platform = await createTestPlatform({ data: { onQuery: (sql) => void texts.push(sql) } });
  const { workspaceId: id, authToken: token } = await platform.createWorkspace('reader');
  const send = async (text: string) => {
    const options = { body: say(text, text), headers: { 'x-timeout': '0' } };
    expect((await platform.request('POST', `/workspaces/${id}/a2a`, options)).status).toBe(202);
  };
  const readFrom = async (since: string, filter = '') => {
    texts.length = 0;
    const path = `/workspaces/${id}/activity?type=a2a_receive&direction=in&wait=20${since}${filter}`;
    const reading = platform.request('GET', path, { token });
    await platform.clock.advance(20_000);
    const { headers, body } = await reading;
    return {
      since: `&since_id=${String(headers['x-next-cursor'])}`,
      found: body.map((row: { message_id: string }) => row.message_id),
      queries: texts.filter((sql) => sql.includes('from "activity"')).length,
    };
  };
  await send('first');
  const { since, found } = await readFrom('');
  expect(found).toEqual(['first']);
  expect(await readFrom(since)).toEqual({ since, found: [], queries: 2 });
  expect(await readFrom(since)).toEqual({ since, found: [], queries: 0 });
  // Another query, and the first one after it.
  expect(await readFrom(since, '&source=canvas')).toEqual({ since, found: [], queries: 2 });
  expect(await readFrom(since)).toEqual({ since, found: [], queries: 2 });
  await platform.clock.advance(300_000);
  expect(await readFrom(since)).toEqual({ since, found: [], queries: 2 });

  // What is stored during a pause is not shown before its end.
  await platform.pause(id);
  await send('paused');
  expect(await readFrom(since)).toMatchObject({ found: [] });
  expect(await readFrom(since)).toEqual({ since, found: [], queries: 0 });
  await platform.resume(id);
  const resumed = await readFrom(since);
  expect(resumed.found).toEqual(['paused']);
  // A message ends a read that is held without having read anything.
  await readFrom(resumed.since);
  const waiting = `/workspaces/${id}/activity?type=a2a_receive&direction=in&wait=20${resumed.since}`;
  texts.length = 0;
  const held = platform.request('GET', waiting, { token });
  await platform.clock.settle();
  expect(texts.filter((sql) => sql.includes('from "activity"'))).toEqual([]);
  await send('second');
  expect((await held).body).toMatchObject([{ message_id: 'second' }]);
  // A cursor that does not exist is refused as before.
  const path = `/workspaces/${id}/activity?type=a2a_receive&since_id=${randomUUID()}`;
  expect((await platform.request('GET', path, { token })).status).toBe(410);
});
