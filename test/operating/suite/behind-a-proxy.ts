import { randomUUID } from 'node:crypto';
import type { ProgramProcess } from '@molecule-tests/harness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { handledBy, type Member, PROXIES, type ProxyKind, type ProxyName, Stage } from '../src/stage.ts';

/** What must hold behind each proxy. Each has a file of its own, because a minute of waiting is part of it. */
export function describeProxy(name: ProxyName): void {
  const kind = PROXIES[name];
  describe(`a platform behind ${name}`, () => tests(kind));
}

function tests(kind: ProxyKind): void {
  let stage: Stage;
  let member: Member;
  let agent: ProgramProcess;
  beforeAll(async () => {
    stage = await Stage.open({ kind });
    member = await stage.addMember('agent');
    agent = stage.startAgent(member, 'agent');
    await agent.waitForEvent('online');
  });
  afterAll(async () => {
    await agent.stop();
    await stage.close();
  });

  const anywhere = () => ({ contextId: randomUUID() });
  const asOperator = () => ({ authorization: `Bearer ${stage.operatorKey}` });
  const post = (path: string, body: string) =>
    fetch(`${stage.url}${path}`, {
      method: 'POST',
      headers: { ...asOperator(), 'content-type': 'application/json' },
      body,
    });

  it('has an agent that trusts the certificate by NODE_EXTRA_CA_CERTS, and answers people and peers', async () => {
    expect((await stage.operator.sendMessage(member.id, 'hello', anywhere())).text).toBe('echo: hello');
    const caller = stage.clientOf(await stage.addMember('caller'));
    await caller.register();
    expect((await caller.callPeer(member.id, 'hello, peer')).text).toBe('echo: hello, peer');
    const state = await stage.operator.getWorkspace(member.id);
    expect(state.status).toBe('online');
  });

  it('lets a feed read wait for a minute, and a call for its answer', async () => {
    const quiet = await stage.addMember('quiet');
    const feed = `${stage.url}/workspaces/${quiet.id}/activity?type=a2a_receive&wait=60`;
    const reading = fetch(feed, { headers: { authorization: `Bearer ${quiet.token}` } });
    const held = await stage.operator.sendMessage(member.id, 'hold minute', {
      ...anywhere(),
      timeoutMs: 25_000,
    });
    expect(held.status).toBe('queued');
    await stage.operator.sendMessage(member.id, 'release minute', anywhere());
    const answer = await stage.operator.waitForAnswer(member.id, held.messageId);
    expect(answer.text).toBe('echo: hold minute');
    const read = await reading;
    expect([read.status, read.headers.get('x-wait-applied'), await read.json()]).toEqual([200, '60', []]);
  });

  it('passes the pieces of a stream on as they come', async () => {
    const stream = stage.operator.streamMessage(member.id, 'stream piece', anywhere());
    const pieces: string[] = [];
    for await (const piece of stream) {
      pieces.push(piece);
      // The second piece is made after the first one was read.
      if (pieces.length === 1) await stage.operator.sendMessage(member.id, 'release piece', anywhere());
    }
    expect(pieces.join('|')).toBe('one| two');
    expect((await stream.reply()).status).toBe('answered');
  });

  it('refuses a body over 1 MiB as JSON; nginx refuses one over 2 MiB itself', async () => {
    const bodyOf = (mebibytes: number) =>
      JSON.stringify({ name: 'x', external: true, filler: 'x'.repeat(mebibytes * 1024 * 1024) });
    const refused = await post('/workspaces', bodyOf(1.5));
    expect(refused.status).toBe(413);
    expect(await refused.json()).toMatchObject({ code: 'body_too_large' });
    const tooLarge = stage.operator.sendMessage(member.id, 'x'.repeat(3 * 1024 * 1024), anywhere());
    await expect(tooLarge).rejects.toMatchObject({
      code: 'payload_too_large',
      status: 413,
      hint: expect.stringMatching(
        /^(?:Send less, or the address of a file|A JSON body may have at most 1 MiB)\.$/,
      ),
    });
  });

  it('may be reloaded and started again: no message is lost or handled twice', async () => {
    const ask = (text: string) => stage.operator.sendMessage(member.id, text, anywhere());
    const held = ask('hold reload');
    await agent.waitForLog((entries) => entries.find(({ text }) => text === 'hold reload'));
    await stage.proxy.reload();
    await Promise.all([ask('reloaded 1'), ask('reloaded 2'), ask('release reload')]);
    expect((await held).text).toBe('echo: hold reload');

    await stage.proxy.stop();
    const texts = ['away 1', 'away 2', 'away 3'];
    // They arrive while the agent cannot be reached.
    for (const text of texts) await stage.leave(member, text);
    await stage.proxy.start();
    const answers = await Promise.all(texts.map((text) => stage.operator.waitForAnswer(member.id, text)));
    expect(answers.map(({ text }) => text)).toEqual(texts.map((text) => `echo: ${text}`));
    for (const text of ['hold reload', 'reloaded 1', 'reloaded 2', ...texts]) {
      expect(
        handledBy(agent).filter((handled) => handled === text),
        text,
      ).toHaveLength(1);
    }
  });

  it('is away: the web page of the proxy is an error that says so, and agents go on when it is back', async () => {
    await stage.stopPlatform();
    const asked = stage.operator.getWorkspace(member.id);
    await expect(asked).rejects.toMatchObject({
      code: 'platform_unavailable',
      status: 502,
      message: expect.stringMatching(/^GET \/workspaces\/[\w-]+ returned 502/),
    });
    await stage.startPlatform();
    await stage.leave(member, 'back');
    expect((await stage.operator.waitForAnswer(member.id, 'back')).text).toBe('echo: back');
  });

  it('has no token in the log of the proxy', () => {
    const log = stage.proxy.log();
    expect(log).toContain(`/workspaces/${member.id}/activity`);
    for (const secret of [member.token, stage.operatorKey]) expect(log).not.toContain(secret);
  });
}
