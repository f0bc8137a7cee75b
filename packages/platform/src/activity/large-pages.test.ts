import type { JsonObject } from '@molecule-ai/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from '../../test/running-platform.ts';
import { answerText, eventually, type ScriptedAgent, say, startAgent } from '../../test/scripted-agent.ts';

const MIB = 1024 * 1024;

interface Member {
  readonly id: string;
  readonly token: string;
}

let running: RunningPlatform;
let asker: Member;
let agent: ScriptedAgent;
beforeAll(async () => {
  running = await startPlatform({
    rateLimit: 1_000_000,
    synchronous: 'normal',
    allowAgentNetworks: ['127.0.0.0/8'],
  });
  asker = await running.join({ name: 'asker' });
  agent = await startAgent((call) => answerText(call, `${'w'.repeat(2 * MIB)} end`));
});
afterAll(async () => {
  await running.platform.close();
  await agent.close();
});

const send = (to: Member, from: Member | null, body: JsonObject) =>
  running.call('POST', `/workspaces/${to.id}/a2a`, {
    ...(from === null ? {} : { token: from.token }),
    body,
    headers: { 'x-timeout': '0' },
  });
const read = (of: Member, query: string) =>
  running.call('GET', `/workspaces/${of.id}/activity?type=a2a_receive&${query}`, { token: of.token });

/** Sends messages of about `bytes` each; returns their ids. */
async function fill(to: Member, count: number, bytes: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `large-${to.id}-${index}`);
  for (const id of ids) await send(to, asker, say('x'.repeat(bytes), id) as JsonObject);
  return ids;
}

const idsOf = (rows: readonly { message_id: string }[]) => rows.map((row) => row.message_id);

describe('a page of large messages', () => {
  it.each(['', '&view=compact'])('has at most 4 MiB, and paging loses none (%s)', async (view) => {
    const reader = await running.join({ name: 'reader' });
    const sent = await fill(reader, 12, 900_000);
    const seen: string[] = [];
    let cursor = '';
    for (let hasMore = true; hasMore; ) {
      const page = await read(
        reader,
        `limit=100${view}&${cursor === '' ? 'unacknowledged=true' : `since_id=${cursor}`}`,
      );
      expect(page.body.length).toBeGreaterThan(0);
      expect(JSON.stringify(page.body).length).toBeLessThanOrEqual(4 * MIB);
      seen.push(...idsOf(page.body));
      cursor = String(page.headers['x-next-cursor']);
      hasMore = page.headers['x-has-more'] === 'true';
    }
    expect(seen).toEqual(sent);
  });

  it('leaves out its newest rows for an agent without a cursor, which continues after the page', async () => {
    const reader = await running.join({ name: 'reader' });
    const sent = await fill(reader, 8, 900_000);
    const first = await read(reader, 'limit=100');
    const ids = idsOf(first.body);
    expect(ids.length).toBeLessThan(8);
    expect(ids).toEqual(sent.slice(0, ids.length));
    const descending = await read(reader, 'limit=100&order=desc');
    expect(idsOf(descending.body).reverse()).toEqual(ids);
    const path = `/workspaces/${reader.id}/activity?type=a2a_receive`;
    const history = await running.call('GET', path);
    expect(idsOf(history.body)[0]).toBe(sent.at(-1));
  });

  it('can be read twelve times at once', async () => {
    const reader = await running.join({ name: 'reader' });
    await fill(reader, 6, 900_000);
    const pages = await Promise.all(Array.from({ length: 12 }, () => read(reader, 'unacknowledged=true')));
    expect(new Set(pages.map(({ status }) => status))).toEqual(new Set([200]));
  });
});

describe('a large answer', () => {
  it('is cut in rows and whole in its own', async () => {
    const target = await running.join({ name: 'target', url: `${agent.url}/rpc` });
    const caller = await running.join({ name: 'caller' });
    await send(target, caller, say('go', 'question') as JsonObject);
    const [row] = await eventually(async () => {
      const { body } = await read(caller, 'unacknowledged=true');
      return body.length > 0 && body;
    });
    const size = JSON.stringify(row).length;
    expect(size).toBeLessThan(2 * MIB);
    expect([row.truncated, row.in_reply_to, row.direction]).toEqual([true, 'question', 'in']);
    const isMarked = (text: string) => /^\[A2A_RESULT_FROM_PEER\]w+\[\/A2A_RESULT_FROM_PEER\]$/.test(text);
    expect(isMarked(row.data.text)).toBe(true);
    const [compact] = (await read(caller, 'unacknowledged=true&view=compact')).body;
    expect([compact.id, compact.truncated, compact.in_reply_to]).toEqual([row.id, true, 'question']);
    expect(JSON.stringify(compact).length).toBeLessThan(300 * 1024);
    expect(isMarked(compact.parts[0].text)).toBe(true);

    const path = `/workspaces/${caller.id}/activity/${row.id}`;
    for (const view of ['', '?view=compact']) {
      const { status, body } = await running.call('GET', `${path}${view}`, { token: caller.token });
      expect({ status, id: body.id, truncated: body.truncated }).toEqual({ status: 200, id: row.id });
      const text: string = view === '' ? body.data.text : body.parts[0].text;
      expect(text.length).toBeGreaterThan(2 * MIB);
      expect(text.includes(' end')).toBe(true);
    }
    const [own] = (await running.call('GET', `/workspaces/${target.id}/activity`)).body;
    expect([own.message_id, own.truncated]).toEqual(['question', true]);
    expect(JSON.stringify(own.response_body).length).toBeLessThan(300 * 1024);
  });

  it('is read by its own workspace and operators only', async () => {
    const reader = await running.join({ name: 'reader' });
    await send(reader, asker, say('hi', 'one') as JsonObject);
    const [row] = (await read(reader, '')).body;
    const path = `/workspaces/${reader.id}/activity/${row.id}`;
    expect((await running.call('GET', path)).body).toEqual({ ...row, agent_card_url: expect.any(String) });
    expect((await running.call('GET', path, { token: asker.token })).status).toBe(401);
    const foreign = `/workspaces/${asker.id}/activity/${row.id}`;
    expect(await running.call('GET', foreign, { token: asker.token })).toMatchObject({
      status: 404,
      body: { code: 'activity_not_found' },
    });
  });
});
