import { describe, expect, it } from 'vitest';
import { ManualClock } from '../test/manual-clock.ts';
import { openReadCommitted } from '../test/read-committed.ts';
import { openAgent } from '../test/resources-of-test.ts';
import type { RunningPlatform } from '../test/running-platform.ts';
import { answerText, eventually, say } from '../test/scripted-agent.ts';

const statusOf = async ({ call }: RunningPlatform, id: string) =>
  (await call('GET', `/workspaces/${id}?include_removed=true`)).body.status;

describe('while another transaction runs', () => {
  it.each(['heartbeat', 'register'])('a %s does not undo a pause', async (request) => {
    const { call, database, join } = await openReadCommitted();
    const { id, token } = await join();
    const body = { workspace_id: id, agent_card: { name: 'renamed' } };
    const [sent, paused] = await database.between(
      () => call('POST', `/registry/${request}`, { token, body }),
      /^update "workspaces"/,
      () => call('POST', `/workspaces/${id}/pause`),
    );
    expect([sent.status, paused.status]).toEqual([200, 200]);
    const { body: now } = await call('GET', `/workspaces/${id}`);
    expect(now).toMatchObject({ status: 'paused', agent_card: { name: 'renamed' } });
  });

  it.each(['heartbeat', 'register'])('a %s does not wake a removed workspace', async (request) => {
    const running = await openReadCommitted();
    const { call, database, join } = running;
    const { id, token } = await join();
    const body = { workspace_id: id, agent_card: { name: 'agent' } };
    await database.between(
      () => call('POST', `/registry/${request}`, { token, body }),
      /^update "workspaces"/,
      () => call('DELETE', `/workspaces/${id}`),
    );
    expect(await statusOf(running, id)).toBe('removed');
  });

  it('an acknowledgement never moves the position back', async () => {
    const { call, database, join } = await openReadCommitted();
    const { id, token } = await join();
    for (const text of ['first', 'second']) {
      await call('POST', `/workspaces/${id}/a2a`, { body: say(text, text), headers: { 'x-timeout': '0' } });
    }
    const rows = (await call('GET', `/workspaces/${id}/activity?type=a2a_receive`, { token })).body;
    const [first, second] = rows.sort((a: { seq: number }, b: { seq: number }) => a.seq - b.seq);
    const acknowledge = (upTo: string) =>
      call('POST', `/workspaces/${id}/activity/ack`, { token, body: { up_to: upTo } });
    const [late] = await database.between(
      () => acknowledge(first.id),
      /^update "workspaces"/,
      () => acknowledge(second.id),
    );
    expect(late.body).toMatchObject({ up_to: second.id, seq: second.seq });
    expect((await acknowledge(first.id)).body).toMatchObject({ seq: second.seq });
  });

  it.each([
    ['before the removal reads it', /^insert into "activity"/, 202],
    ['after the removal', /^lock/, 410],
  ])('no message stays open that a removed workspace gets %s', async (_when, before, status) => {
    const { call, database, join } = await openReadCommitted();
    const { id } = await join();
    const body = say('go', 'm1');
    const [sent, removed] = await database.between(
      () => call('POST', `/workspaces/${id}/a2a`, { body, headers: { 'x-timeout': '0' } }),
      before,
      () => call('DELETE', `/workspaces/${id}`),
    );
    expect([sent.status, removed.status]).toEqual([status, 200]);
    const message = await call('GET', `/workspaces/${id}/messages/m1`);
    if (status === 410) expect(message.status).toBe(404);
    else expect(message.body).toMatchObject({ state: 'failed', error: { code: 'workspace_removed' } });
  });

  it('a workspace that is created below one that is being removed is removed with it', async () => {
    const running = await openReadCommitted();
    const { call, create, database } = running;
    const parent = await create();
    const [child, removed] = await database.between(
      () => create({ parent_id: parent.id }),
      /^insert into "workspaces"/,
      () => call('DELETE', `/workspaces/${parent.id}?confirm=true`),
    );
    expect(removed.body).toMatchObject({ cascade_deleted: 1 });
    expect(await statusOf(running, child.id)).toBe('removed');
  });

  it('two moves in the hierarchy make no circle', async () => {
    const { call, create, database } = await openReadCommitted();
    const [one, other] = [await create(), await create()];
    const move = (id: string, parent: string) =>
      call('PATCH', `/workspaces/${id}`, { body: { parent_id: parent } });
    const [first, second] = await database.between(
      () => move(one.id, other.id),
      /^update "workspaces"/,
      () => move(other.id, one.id),
    );
    expect([first.status, second.status]).toEqual([200, 400]);
  });

  it('no more tokens are issued than a workspace may have', async () => {
    const { call, create, database } = await openReadCommitted({ limits: { rateLimit: 10_000 } });
    const { id } = await create();
    const mint = () => call('POST', `/workspaces/${id}/tokens`);
    for (let count = 1; count < 49; count += 1) await mint();
    const [first, second] = await database.between(mint, /^insert into "workspace_tokens"/, mint);
    expect([first.status, second.status]).toEqual([201, 429]);
  });

  it('nothing is pushed to an agent that is paused while its queue is read', async () => {
    const { call, database, join } = await openReadCommitted();
    const agent = await openAgent((request) => answerText(request, 'done'));
    const { id, token } = await join({ url: `${agent.url}/rpc` });
    await call('POST', `/workspaces/${id}/pause`);
    await call('POST', `/workspaces/${id}/a2a`, { body: say('go', 'm1'), headers: { 'x-timeout': '0' } });
    await call('POST', `/workspaces/${id}/resume`);
    const beat = { token, body: { workspace_id: id } };
    await database.between(
      async () => {
        await call('POST', '/registry/heartbeat', beat);
        await eventually(async () => (await call('GET', `/workspaces/${id}`)).body.status === 'paused');
      },
      /^lock/,
      () => call('POST', `/workspaces/${id}/pause`),
    );
    expect(agent.calls.filter(({ body }) => body.method === 'message/send')).toEqual([]);
    expect((await call('GET', `/workspaces/${id}/messages/m1`)).body).toMatchObject({ state: 'queued' });
  });

  it('an agent whose heartbeat has just come is not offline', async () => {
    const clock = new ManualClock();
    const running = await openReadCommitted({ clock });
    const { call, database, join } = running;
    const { id, token } = await join();
    let isSent = false;
    const waitUntilSilent = async () => {
      clock.advance(90_000);
      await eventually(() => isSent);
    };
    await database.between(waitUntilSilent, /^update "workspaces"/, async () => {
      await call('POST', '/registry/heartbeat', { token, body: { workspace_id: id } });
      isSent = true;
    });
    expect(await statusOf(running, id)).toBe('online');
  });

  it('an instance that stops does not take another one offline that has just sent a heartbeat', async () => {
    const clock = new ManualClock();
    const running = await openReadCommitted({ clock });
    const { call, database, join } = running;
    const { id, token } = await join();
    clock.advance(1_000);
    const [left] = await database.between(
      () => call('POST', '/registry/goodbye', { token, body: { workspace_id: id, instance_id: 'a' } }),
      /^update "workspaces"/,
      () => call('POST', '/registry/heartbeat', { token, body: { workspace_id: id } }),
    );
    expect(left.body).toMatchObject({ workspace_status: 'online' });
  });

  it('one of two instances becomes the reader, and none whose claim cannot be stored', async () => {
    const { call, database, join } = await openReadCommitted();
    const { id, token } = await join();
    const read = (instance: string) =>
      call('GET', `/workspaces/${id}/activity?type=a2a_receive`, {
        token,
        headers: { 'x-molecule-instance': instance },
      });
    const claim = /^insert into "reader_identities"/;
    database.around = (sql, run) => {
      if (claim.test(sql)) throw new Error('The claim cannot be stored.');
      return run();
    };
    expect((await read('a')).status).toBe(500);
    database.around = (_sql, run) => run();
    const [b, c] = await database.between(
      () => read('b'),
      claim,
      () => read('c'),
    );
    expect([b.status, c.status]).toEqual([409, 200]);
    expect((await read('a')).status).toBe(409);
    const holder = database.stored.prepare('select instance_id from reader_identities').get();
    expect(holder).toMatchObject({ instance_id: 'c' });
  });

  it('the same questions about a direct message, asked twice at the same time, are asked once', async () => {
    const { call, database, join } = await openReadCommitted();
    const [sender, { id, token }] = [await join(), await join()];
    const question = { id: 'q', kind: 'approval', text: 'may I?', from: 'user' };
    const message = { message_id: 'm', source_id: sender.id, context_id: '' };
    const ask = () =>
      call('POST', `/workspaces/${id}/questions`, { token, body: { questions: [question], message } });
    const [first, second] = await database.between(ask, /^insert into "activity"/, ask);
    expect(first.status).toBe(200);
    expect(second).toMatchObject({ status: 200, body: first.body });
  });

  it('two pauses of a tree lock it in the order of ids, and the second changes nothing', async () => {
    const { call, create, database } = await openReadCommitted();
    const { id } = await create();
    for (let count = 0; count < 6; count += 1) await create({ parent_id: id });
    const pause = () => call('POST', `/workspaces/${id}/pause`);
    const [first, second] = await database.between(pause, /^update "workspaces"/, pause);
    expect([first.body, second.status]).toEqual([{ status: 'paused', paused_count: 7 }, 404]);
    expect((await call('POST', `/workspaces/${id}/resume`)).body).toMatchObject({ resumed_count: 7 });
    expect((await call('DELETE', `/workspaces/${id}?confirm=true`)).status).toBe(200);
    expect(database.locksOutOfOrder).toEqual([]);
  });
});
