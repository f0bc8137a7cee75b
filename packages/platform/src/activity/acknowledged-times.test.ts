import { expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { openPlatform } from '../../test/resources-of-test.ts';
import { say } from '../../test/scripted-agent.ts';

const DAY_MS = 24 * 3_600_000;

it('an acknowledgement while the clock was ahead counts as one of the time when that is noticed', async () => {
  const clock = new ManualClock();
  const running = await openPlatform({ clock, limits: { messageTtlMs: 30 * DAY_MS } });
  const [reader, asker] = [await running.join({ name: 'reader' }), await running.join({ name: 'asker' })];
  const send = async (messageId: string) => {
    const headers = { 'x-timeout': '0' };
    const body = say(messageId, messageId);
    const path = `/workspaces/${reader.id}/a2a`;
    return (await running.call('POST', path, { token: asker.token, body, headers })).body.activity_id;
  };
  const { token } = reader;
  const readAfter = (id: string) =>
    running.call('GET', `/workspaces/${reader.id}/activity?type=a2a_receive&since_id=${id}`, { token });
  const pending = async () => {
    const body = { id: reader.id };
    return (await running.call('POST', '/registry/heartbeat', { token, body })).body.pending;
  };
  const first = await send('first');
  clock.jumpWallClock(20 * DAY_MS);
  await running.call('POST', `/workspaces/${reader.id}/activity/ack`, { token, body: { up_to: first } });
  clock.jumpWallClock(-20 * DAY_MS);
  const second = await send('second');
  await readAfter(second);
  expect(await pending()).toBe(1);
  clock.jumpWallClock(DAY_MS + 1);
  await readAfter(second);
  expect(await pending()).toBe(0);
  const third = await send('third');
  await running.call('POST', `/workspaces/${reader.id}/activity/ack`, { token, body: { up_to: second } });
  await readAfter(third);
  expect(await pending()).toBe(1);
});
