import { randomUUID } from 'node:crypto';
import { stripA2aBoundary } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { type HttpResponse, rowsOf, textAt, trackCall } from './harness/http.ts';
import { inbox, type Member, onboard, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const MIB = 1024 * 1024;
/** A text that makes a request of nearly 1 MiB. */
const LARGE = 'x'.repeat(MIB - 400);

const feed = (member: Member, query: string): Promise<HttpResponse> =>
  member.caller.get(`/workspaces/${member.id}/activity?type=a2a_receive&${query}`);

function bytesOf({ body }: HttpResponse): number {
  return Buffer.byteLength(JSON.stringify(body));
}

onEachDatabase('large messages in the feed', (environment) => {
  verifies('feed.page.bounded', 'page: bounded', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const sent = Array.from({ length: 9 }, (_, index) => `large-${index}`);
    for (const messageId of sent) await send(platform.operator, member.id, LARGE, { messageId });
    for (const view of ['', '&view=compact']) {
      const seen: string[] = [];
      let query = 'unacknowledged=true';
      for (let hasMore = true; hasMore; ) {
        const page = await feed(member, `${query}${view}`);
        expect(bytesOf(page)).toBeLessThanOrEqual(4 * MIB);
        for (const row of rowsOf(page)) {
          seen.push(textAt(row, 'message_id'));
          const text = view === '' ? textAt(row, 'data', 'text') : textAt(row, 'parts', 0, 'text');
          expect(text.length).toBe(LARGE.length);
        }
        query = `since_id=${textAt(page.headers, 'x-next-cursor')}`;
        hasMore = page.headers['x-has-more'] === 'true';
      }
      expect(seen).toEqual(sent);
    }
  });

  verifies('feed.page.bounded', 'page: parallel reads', async () => {
    const platform = await environment.platform();
    const [member, other] = [await onboard(platform), await onboard(platform)];
    for (let index = 0; index < 20; index += 1) await send(platform.operator, member.id, LARGE);
    const reads = Array.from({ length: 12 }, () => feed(member, 'limit=150&unacknowledged=true'));
    expect((await feed(other, 'limit=1')).status).toBe(200);
    for (const page of await Promise.all(reads)) {
      expect(page.status).toBe(200);
      expect(bytesOf(page)).toBeLessThanOrEqual(4 * MIB);
      expect(rowsOf(page).length).toBeGreaterThan(0);
    }
  });

  verifies('feed.answer.cut-in-rows', 'answer: cut in rows', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const said = `start ${'é"'.repeat(200_000)} end`;
    await send(caller.caller, target.id, 'report all', { messageId: 'm-1' });
    await send(target.caller, caller.id, said, {
      role: 'agent',
      messageId: randomUUID(),
      metadata: { in_reply_to: 'm-1' },
    });
    const [row] = await inbox(caller, '&view=compact');
    expect(row?.truncated).toBe(true);
    const shown = stripA2aBoundary(textAt(row, 'parts', 0, 'text'));
    expect(said.startsWith(shown)).toBe(true);
    expect(Buffer.byteLength(JSON.stringify(row))).toBeLessThan(260 * 1024);
    const [full] = await inbox(caller);
    expect(full?.truncated).toBe(true);
    expect(stripA2aBoundary(textAt(full, 'data', 'text'))).toBe(shown);
    const path = `/workspaces/${caller.id}/activity/${textAt(row, 'id')}`;
    const whole = await caller.caller.get(`${path}?view=compact`);
    expect(stripA2aBoundary(textAt(whole.body, 'parts', 0, 'text')) === said).toBe(true);
    const wholeRow = await caller.caller.get(path);
    expect(stripA2aBoundary(textAt(wholeRow.body, 'data', 'text')) === said).toBe(true);
    expect((await target.caller.get(path)).status).toBe(401);
    expect(await caller.caller.get(`/workspaces/${caller.id}/activity/${randomUUID()}`)).toMatchObject({
      status: 404,
      body: { code: 'activity_not_found' },
    });
  });

  verifies('feed.compact', async () => {
    const platform = await environment.platform();
    const [peer, member] = [await onboard(platform, { name: 'ops' }), await onboard(platform)];
    await send(peer.caller, member.id, 'hello there', { metadata: { trace_id: 't' } });
    const [row] = await inbox(member, '&view=compact');
    expect(row).toEqual({
      ...{ id: expect.any(String), seq: expect.any(Number), ts: expect.any(String), type: 'a2a_receive' },
      ...{ direction: 'in', method: 'message/send', source: 'peer_agent', source_id: peer.id },
      ...{ message_id: expect.any(String), context_id: expect.any(String), in_reply_to: null },
      conversation_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      parts: [{ kind: 'text', type: 'text', text: 'hello there' }],
      metadata: { trace_id: 't' },
      state: 'queued',
      peer_name: 'ops',
    });
    expect(JSON.stringify(row).length).toBeLessThan(700);
    const [full] = await inbox(member);
    expect(full).toMatchObject({ id: row?.id, data: { text: 'hello there' } });
  });

  verifies('feed.wait.many-readers', 'wait: many readers', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const member = await onboard(platform);
    const read = () => trackCall(feed(member, 'wait=60'));
    const first = read();
    await platform.clock.advance(1_000);
    const others = Array.from({ length: 500 }, read);
    expect(await first.response).toMatchObject({ status: 200, body: [] });
    expect(others.some((each) => each.isComplete)).toBe(false);
    await send(platform.operator, member.id, 'for all');
    for (const each of others.slice(0, 20)) expect(rowsOf(await each.response)).toHaveLength(1);
  });
});
