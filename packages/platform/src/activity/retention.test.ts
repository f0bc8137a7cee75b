import { expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { startPlatform } from '../../test/running-platform.ts';
import { eventually, say } from '../../test/scripted-agent.ts';

it('old rows go after the retention, except messages that have not ended', async () => {
  const clock = new ManualClock();
  const running = await startPlatform({ clock, activityRetentionDays: 7, messageTtlMs: 30 * 24 * 3_600_000 });
  try {
    const asker = await running.join({ name: 'asker' });
    const reader = await running.join({ name: 'reader' });
    for (const messageId of ['done', 'open']) {
      const headers = { 'x-timeout': '0' };
      const body = say(messageId, messageId);
      await running.call('POST', `/workspaces/${reader.id}/a2a`, { token: asker.token, body, headers });
    }
    const feed = `/workspaces/${reader.id}/activity?order=asc`;
    const [first] = (await running.call('GET', feed)).body;
    await running.call('POST', `/workspaces/${reader.id}/activity/ack`, { body: { up_to: first.id } });
    clock.jumpWallClock(8 * 24 * 3_600_000);
    clock.advance(3_600_000);
    const left = await eventually(async () => {
      const { body } = await running.call('GET', feed);
      return body.length === 1 ? body : undefined;
    });
    expect(left[0]).toMatchObject({ message_id: 'open', delivery_state: 'pending' });
    const cursor = await running.call('GET', `${feed}&since_id=${first.id}`);
    expect(cursor).toMatchObject({ status: 410, body: { code: 'cursor_not_found' } });
    const open = `/workspaces/${asker.id}/messages/open`;
    expect((await running.call('GET', open)).body.state).toBe('queued');
  } finally {
    await running.platform.close();
  }
});
