import { expect } from 'vitest';
import { type Caller, textAt } from './harness/http.ts';
import { heartbeat, inbox, inboxTexts, type Member, onboard, send, statusOf } from './harness/members.ts';
import type { RunningPlatform } from './harness/running-platform.ts';
import { createTestAgent } from './harness/test-agent.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

async function mintToken(platform: RunningPlatform, { id, caller }: Member): Promise<Caller> {
  const minted = await caller.post(`/workspaces/${id}/tokens`, {});
  return platform.as((minted.body as { auth_token: string }).auth_token);
}

const readState = ({ id }: Member, caller: Caller) => caller.get(`/workspaces/${id}/state`);
const acknowledge = ({ id, caller }: Member) =>
  caller.post(`/workspaces/${id}/activity/ack`, { outcomes: [{ activity_id: id, outcome: 'unanswered' }] });

/** Sends requests until one is refused; returns it and how many were accepted. */
async function spend(
  send: () => Promise<{ status: number; body: unknown; headers: Record<string, unknown> }>,
) {
  for (let accepted = 0; ; accepted += 1) {
    const response = await send();
    if (response.status === 429 || accepted > 2_000) return { accepted, response };
  }
}

onEachDatabase('rates', (environment) => {
  verifies('limits.rate-belongs-to-the-workspace', 'rate belongs to the workspace', async () => {
    const platform = await environment.platform({ limits: { rateLimit: 'default' }, clock: 'manual' });
    const member = await onboard(platform);
    const other = await onboard(platform);
    const second = await mintToken(platform, member);
    const half = await Promise.all(Array.from({ length: 300 }, () => readState(member, second)));
    expect(new Set(half.map(({ status }) => status))).toEqual(new Set([200]));
    const { accepted, response } = await spend(() => readState(member, member.caller));
    // Registering and minting were two of the 600.
    expect(accepted).toBe(298);
    expect(response).toMatchObject({
      status: 429,
      headers: { 'retry-after': '60' },
      body: { code: 'rate_limited', retry_after: 60, scope: 'workspace', hint: expect.any(String) },
    });
    expect((await readState(member, second)).status).toBe(429);
    expect((await readState(other, other.caller)).status).toBe(200);
    await platform.clock.advance(MINUTE);
    expect((await readState(member, second)).status).toBe(200);
  });

  verifies('limits.own-rates', 'presence has its own rate', async () => {
    const platform = await environment.platform({
      limits: { rateLimit: 50, presenceRate: 100 },
      clock: 'manual',
    });
    const member = await onboard(platform);
    const other = await onboard(platform);
    expect((await spend(() => readState(member, member.caller))).accepted).toBeLessThan(50);
    const acknowledgements = await spend(() => acknowledge(member));
    expect((await acknowledge(other)).status).toBe(200);
    expect(acknowledgements).toMatchObject({ accepted: 90, response: { body: { scope: 'presence' } } });
    const heartbeats = await spend(() => heartbeat(member));
    expect(heartbeats).toMatchObject({ accepted: 10, response: { body: { scope: 'presence' } } });
  });

  verifies('limits.rate-belongs-to-the-workspace', 'rate can be off', async () => {
    const platform = await environment.platform({ limits: { rateLimit: 'off' }, clock: 'manual' });
    const member = await onboard(platform);
    const sent = await Promise.all(Array.from({ length: 650 }, () => readState(member, member.caller)));
    expect(sent.filter(({ status }) => status !== 200)).toEqual([]);
    expect(sent[0]?.headers['x-ratelimit-limit']).toBeUndefined();
  });

  verifies('limits.health-is-never-limited', async () => {
    const platform = await environment.platform({ limits: { rateLimit: 3 }, clock: 'manual' });
    await spend(() => platform.anonymous.get('/workspaces'));
    expect((await platform.anonymous.get('/health')).status).toBe(200);
    expect((await platform.anonymous.get('/ready')).status).toBe(200);
  });

  verifies('agent.rate-limited', 'agent waits out a limited heartbeat', async () => {
    const platform = await environment.platform({
      limits: { rateLimit: 1_000, presenceRate: 10 },
      clock: 'manual',
    });
    const member = await onboard(platform);
    const { agent, clock, log } = createTestAgent(environment, platform, member, { delivery: 'poll' });
    const reports: string[] = [];
    agent.on('degraded', (reason) => reports.push(`degraded: ${reason}`));
    agent.on('recovered', (reason) => reports.push(`recovered: ${reason}`));
    await agent.start();
    await spend(() => heartbeat(member));
    const statuses = new Set<string>();
    for (let passed = 0; passed < 2 * MINUTE; passed += 5_000) {
      await clock.advance(5_000);
      statuses.add(await statusOf(platform, member.id));
    }
    expect(reports).toEqual(['degraded: rate-limited', 'recovered: rate-limited']);
    expect(statuses).toEqual(new Set(['online']));
    expect(agent.health()).toMatchObject({ ok: true, consecutiveHeartbeatFailures: 0 });
    const warnings = log.lines.filter(({ level }) => level === 'warn').map(({ message }) => message);
    expect(warnings).toEqual(['The platform limits the rate of heartbeats; the next one waits.']);
  });
});

const full = (scope: string) => ({
  status: 429,
  headers: { 'retry-after': '30' },
  body: { code: 'inbox_full', retry_after: 30, scope, hint: expect.any(String) },
});

onEachDatabase('inboxes', { onDisk: true }, (environment) => {
  verifies('limits.inbox-shares', 'inbox shares', async () => {
    const platform = await environment.platform({ limits: { inboxLimit: 20 } });
    const target = await onboard(platform);
    const waits = async (caller: Caller) => (await send(caller, target.id, 'hello')).status === 202;
    for (let n = 0; n < 3; n += 1) {
      const sender = await onboard(platform);
      for (let i = 0; i < 5; i += 1) expect(await waits(sender.caller)).toBe(true);
      expect(await send(sender.caller, target.id, 'one more')).toMatchObject(full('sender'));
    }
    const last = await onboard(platform);
    for (let i = 0; i < 3; i += 1) expect(await waits(last.caller)).toBe(true);
    expect(await send(last.caller, target.id, 'one more')).toMatchObject(full('inbox'));
    expect([await waits(platform.operator), await waits(platform.operator)]).toEqual([true, true]);
    expect(await send(platform.operator, target.id, 'one more')).toMatchObject(full('inbox'));
    expect(await inboxTexts(target)).toHaveLength(20);
  });

  verifies('limits.inbox-full', 'inbox bytes', async () => {
    const platform = await environment.platform({ limits: { inboxBytes: 400_000 } });
    const [target, sender] = [await onboard(platform), await onboard(platform)];
    const large = 'x'.repeat(30_000);
    for (let i = 0; i < 4; i += 1) expect((await send(sender.caller, target.id, large)).status).toBe(202);
    const refused = await send(sender.caller, target.id, large, { messageId: 'again' });
    expect(refused).toMatchObject(full('sender'));
    const [first] = await inbox(target);
    await target.caller.post(`/workspaces/${target.id}/activity/ack`, { up_to: textAt(first, 'id') });
    expect((await send(sender.caller, target.id, large, { messageId: 'again' })).status).toBe(202);
    expect(await send(sender.caller, target.id, 'small')).toMatchObject(full('sender'));
    // A repeat of a message that waits does not count again.
    expect((await send(sender.caller, target.id, large, { messageId: 'again' })).status).toBe(202);
  });

  verifies('limits.inbox-of-one-that-only-reads', 'inbox of one that only reads', async () => {
    const platform = await environment.platform({ limits: { inboxLimit: 20 } });
    const [target, sender] = [await onboard(platform), await onboard(platform)];
    const path = `/workspaces/${target.id}/activity?type=a2a_receive`;
    for (let n = 0; n < 5; n += 1) expect((await send(sender.caller, target.id, 'm')).status).toBe(202);
    expect(await send(sender.caller, target.id, 'one more')).toMatchObject(full('sender'));
    const rows = await inbox(target);
    const [third, last] = [textAt(rows[2], 'id'), textAt(rows[4], 'id')];
    await platform.operator.get(`${path}&since_id=${last}`);
    await target.caller.get(`/workspaces/${target.id}/activity?since_id=${last}`);
    expect(await send(sender.caller, target.id, 'one more')).toMatchObject(full('sender'));
    await target.caller.get(`${path}&since_id=${third}`);
    expect((await heartbeat(target)).body).toMatchObject({ pending: 2 });
    for (let n = 0; n < 3; n += 1) expect((await send(sender.caller, target.id, 'm')).status).toBe(202);
    expect(await send(sender.caller, target.id, 'one more')).toMatchObject(full('sender'));
    await target.caller.get(`${path}&since_id=${last}`);
    // Reading again from an earlier row takes nothing back.
    await target.caller.get(`${path}&since_id=${third}`);
    await platform.restart();
    expect((await heartbeat(target)).body).toMatchObject({ pending: 3 });
    for (let n = 0; n < 2; n += 1) expect((await send(sender.caller, target.id, 'm')).status).toBe(202);
    expect(await send(sender.caller, target.id, 'm')).toMatchObject(full('sender'));
    expect(await inbox(target)).toHaveLength(10);
  });

  verifies('limits.inbox-of-one-that-only-reads', 'inbox of one that acknowledges again', async () => {
    const platform = await environment.platform({ limits: { inboxLimit: 20 }, clock: 'manual' });
    const [target, sender] = [await onboard(platform), await onboard(platform)];
    const path = `/workspaces/${target.id}/activity`;
    const fill = async () => {
      let accepted = 0;
      while ((await send(sender.caller, target.id, 'm')).status === 202) accepted += 1;
      return accepted;
    };
    const readAll = async () => {
      const rows = await inbox(target);
      await target.caller.get(`${path}?type=a2a_receive&since_id=${textAt(rows.at(-1), 'id')}`);
      return rows;
    };
    const acknowledgeFirst = async () => {
      const [first] = await inbox(target, '&unacknowledged=true');
      await target.caller.post(`${path}/ack`, { up_to: textAt(first, 'id') });
      await platform.clock.advance(11_000);
    };
    expect(await fill()).toBe(5);
    await acknowledgeFirst();
    await readAll();
    expect([await fill(), (await heartbeat(target)).body]).toMatchObject([1, { pending: 5 }]);
    platform.clock.jump(DAY + MINUTE);
    await readAll();
    expect([await fill(), (await heartbeat(target)).body]).toMatchObject([5, { pending: 5 }]);
    await acknowledgeFirst();
    expect([await fill(), (await heartbeat(target)).body]).toMatchObject([0, { pending: 9 }]);
  });

  verifies('limits.late-answer-of-a-full-inbox', async () => {
    const platform = await environment.platform({
      limits: { inboxLimit: 8 },
      server: { contractCheck: 'all' },
    });
    const [asker, target] = [await onboard(platform), await onboard(platform)];
    for (const messageId of ['short', 'long']) await send(asker.caller, target.id, 'question', { messageId });
    for (let i = 0; i < 8; i += 1) await send(platform.operator, asker.id, `from the canvas ${i}`);
    const answer = 'y'.repeat(30_000);
    for (const [question, text] of [
      ['short', 'brief'],
      ['long', answer],
    ] as const) {
      const metadata = { in_reply_to: question };
      const reply = await send(target.caller, asker.id, text, { messageId: `re-${question}`, metadata });
      expect(reply).toMatchObject({ status: 200, body: { status: 'answered', delivered_to: 'feed' } });
    }
    const late = (await inbox(asker)).slice(8);
    expect(late.map((row) => row.message_id)).toEqual(['re-short', 're-long']);
    const [, notice] = await inboxTexts(asker).then((texts) => texts.slice(8));
    expect(JSON.stringify(late[1]).length).toBeLessThan(4_096);
    expect(notice).toContain('Your message long has an answer, which did not fit into your feed');
    const record = await asker.caller.get(`/workspaces/${asker.id}/messages/long`);
    expect(JSON.stringify(record.body)).toContain(answer);
  });
});

onEachDatabase('what a workspace writes itself', (environment) => {
  verifies('limits.card-and-report-size', 'card size', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform, { card: { name: 'small' } });
    const card = { name: 'large', description: 'é'.repeat(33_000) };
    const body = { id: member.id, workspace_id: member.id, agent_card: card };
    for (const path of ['/registry/register', '/registry/update-card', '/registry/heartbeat']) {
      expect(await member.caller.post(path, body), path).toMatchObject({
        status: 413,
        body: { code: 'body_too_large', field: 'agent_card', hint: expect.stringContaining('65536') },
      });
    }
    expect((await platform.operator.get(`/workspaces/${member.id}`)).body).toMatchObject({
      agent_card: { name: 'small' },
    });
  });

  verifies('limits.card-and-report-size', 'report size', async () => {
    const platform = await environment.platform();
    const member = await onboard(platform);
    const report = (bytes: number) =>
      member.caller.post(`/workspaces/${member.id}/activity`, {
        activity_type: 'agent_log',
        summary: 'a log',
        response_body: { text: 'x'.repeat(bytes) },
      });
    expect(await report(262_144)).toMatchObject({
      status: 413,
      body: { code: 'body_too_large', field: 'response_body', hint: expect.stringContaining('262144') },
    });
    expect((await report(262_000)).status).toBe(200);
  });

  verifies('limits.own-rows', 'own rows', async () => {
    const platform = await environment.platform({ limits: { workspaceQuota: 100_000 } });
    const [member, peer] = [await onboard(platform), await onboard(platform)];
    const notify = (more = {}) =>
      member.caller.post(`/workspaces/${member.id}/notify`, { message: 'n'.repeat(20_000), ...more });
    const report = () =>
      member.caller.post(`/workspaces/${member.id}/activity`, {
        activity_type: 'agent_log',
        response_body: { text: 'r'.repeat(20_000) },
      });
    const statuses = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await (i % 2 === 0 ? notify() : report())).status);
    expect(statuses).toEqual([200, 200, 200, 200]);
    for (const refused of [await notify(), await report()]) {
      expect(refused).toMatchObject({
        status: 429,
        body: { code: 'quota_exceeded', hint: expect.stringContaining('100000') },
      });
      expect(refused.headers['retry-after']).toBeUndefined();
    }
    await send(platform.operator, member.id, 'a question', { messageId: 'q' });
    expect((await notify({ in_reply_to: 'q' })).status).toBe(200);
    expect((await send(member.caller, peer.id, 'hello')).status).toBe(202);
    expect((await heartbeat(member)).status).toBe(200);
    expect((await notify()).status).toBe(429);
  });

  verifies('limits.own-rows', 'own rows are released', async () => {
    const platform = await environment.platform({
      limits: { workspaceQuota: 50_000 },
      data: { activityRetentionDays: 1 },
      clock: 'manual',
    });
    const member = await onboard(platform);
    const notify = () =>
      member.caller.post(`/workspaces/${member.id}/notify`, { message: 'n'.repeat(30_000) });
    expect([(await notify()).status, (await notify()).status]).toEqual([200, 429]);
    await platform.clock.advanceUntil(async () => (await notify()).status === 200, {
      stepMs: 3_600_000,
      limitMs: 48 * 3_600_000,
    });
    expect((await notify()).status).toBe(429);
  });
});

onEachDatabase('finished messages', (environment) => {
  verifies('feed.retention', 'finished messages', async () => {
    const platform = await environment.platform({ data: { finishedBytes: 100_000 }, clock: 'manual' });
    const [member, peer] = [await onboard(platform), await onboard(platform)];
    const own = { message: 'o'.repeat(50_000) };
    expect((await member.caller.post(`/workspaces/${member.id}/notify`, own)).status).toBe(200);
    for (let i = 0; i < 8; i += 1) await send(peer.caller, member.id, `${i}${'x'.repeat(20_000)}`);
    const feed = async () =>
      (await member.caller.get(`/workspaces/${member.id}/activity?order=asc`)).body as never[];
    const rows = await feed();
    expect(rows).toHaveLength(9);
    // All but the last one end.
    const upTo = textAt(rows[7], 'id');
    await member.caller.post(`/workspaces/${member.id}/activity/ack`, { up_to: upTo });
    await platform.clock.advanceUntil(async () => (await feed()).length < 9, {
      stepMs: 15_000,
      limitMs: 300_000,
    });
    const left = await feed();
    const ids = rows.map((row) => textAt(row, 'id'));
    expect(left.map((row) => textAt(row, 'id'))).toEqual([ids[0], ...ids.slice(4)]);
    expect(textAt(left.at(-1), 'delivery_state')).toBe('pending');
  });
});

onEachDatabase('a disk', { onDisk: true }, (environment) => {
  verifies('limits.little-space-is-not-ready', async () => {
    const roomy = await environment.platform();
    expect(await roomy.anonymous.get('/ready')).toMatchObject({
      status: 200,
      body: { checks: { disk: 'ok' } },
    });
    const platform = await environment.platform({ data: { minFreeSpace: 2 ** 49 } });
    expect(await platform.anonymous.get('/ready')).toMatchObject({
      status: 503,
      headers: { 'retry-after': '30' },
      body: {
        code: 'platform_unavailable',
        error: expect.stringContaining('disk'),
        hint: expect.any(String),
      },
    });
    expect((await onboard(platform)).id).not.toBe('');
  });
});
