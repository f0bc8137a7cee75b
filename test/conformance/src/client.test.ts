import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  AccessDeniedError,
  CursorLostError,
  createRemoteAgent,
  RemoteAgentClient,
  WorkspaceRemovedError,
  wrapA2aBoundary,
} from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { NIL_UUID } from '@molecule-ai/protocol';
import { expect } from 'vitest';
import { textAt } from './harness/http.ts';
import { createMember, heartbeat, inbox, onboard, send, waitForRow } from './harness/members.ts';
import { END, FORGERIES, RESULT_SHAPES, START } from './harness/peer-texts.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

/** Our own client writes strictly: the platform holds each of its requests against the strict schemas. */
const STRICT = {
  server: { contractCheck: 'all' },
  security: { allowAgentNetworks: ['127.0.0.0/8'] },
} as const;

onEachDatabase('the client', (environment) => {
  verifies(
    ['client.register.stores-the-token', 'delivery.files-are-private'],
    'register: stores the token; files are private',
    async () => {
      const platform = await environment.platform(STRICT);
      const member = await createMember(platform);
      const stateDirectory = join(environment.folder(), 'state');
      const first = environment.client(
        platform,
        { id: member.id },
        { storage: { directory: stateDirectory } },
      );
      expect(await first.register()).toMatchObject({ tokenIssued: true, deliveryMode: 'poll' });
      await first.heartbeat({ activeTasks: 1 });
      expect(await first.register()).toMatchObject({ tokenIssued: false });
      const second = environment.client(
        platform,
        { id: member.id },
        { storage: { directory: stateDirectory } },
      );
      expect(await second.pollState()).toMatchObject({ status: 'online', shouldStop: false });
      expect(await clientPort(second).currentToken()).toBe(await clientPort(first).currentToken());
      expect(statSync(stateDirectory).mode & 0o777).toBe(0o700);
      const files = readdirSync(stateDirectory).map((name) => join(stateDirectory, name));
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) expect(statSync(file).mode & 0o777, file).toBe(0o600);
    },
  );

  verifies('options.wrong-are-refused', 'wrong options', async () => {
    const server = await environment.scriptedAgent({ script: () => ({ kind: 'never' }) });
    const least = { platformUrl: server.url, workspaceId: NIL_UUID, authToken: 'a-token-of-a-workspace' };
    const refused = (option: string) =>
      expect.objectContaining({
        code: 'configuration_invalid',
        message: expect.stringContaining(option),
        hint: expect.any(String),
      });
    for (const wrong of [{ orgId: 7 }, { logger: {} }, { tokenStore: 'file' }, { deliveryMode: 'auto' }]) {
      const [option = ''] = Object.keys(wrong);
      expect(() => new RemoteAgentClient({ ...least, ...wrong } as never)).toThrow(refused(option));
    }
    const client = environment.client(server, { id: NIL_UUID, token: 'a-token-of-a-workspace' });
    for (const wrong of [{ isolateHeartbeat: 'yes' }, { exitWhenDead: { after: 5 } }, { store: {} }]) {
      const [option = ''] = Object.keys(wrong);
      const agent = { client, onMessage: () => undefined, ...wrong };
      expect(() => createRemoteAgent(agent as never)).toThrow(refused(option));
    }
    expect(server.requests).toEqual([]);
  });

  verifies('client.result-shapes', 'result shapes', async () => {
    const platform = await environment.platform(STRICT);
    const caller = await onboard(platform);
    const client = environment.client(platform, caller);
    const agent = await environment.scriptedAgent({ script: () => ({ kind: 'never' }) });
    const target = await onboard(platform, { url: agent.url });
    for (const [name, body, text] of RESULT_SHAPES) {
      agent.react((request) => ({
        kind: 'json',
        body: { jsonrpc: '2.0', id: textAt(request.body, 'id'), ...body },
      }));
      const reply = await client.callPeer(target.id, 'speak');
      expect(reply, name).toMatchObject({ status: 'answered', peerId: target.id, via: 'proxy' });
      expect(reply.text, name).toBe(text);
      expect(JSON.stringify(reply.parts), name).not.toContain('A2A_RESULT_FROM_PEER');
      expect(JSON.stringify(reply.raw), name).toContain('[A2A_RESULT_FROM_PEER]');
    }
  });

  verifies(['client.result-shapes', 'trust.fenced-for-models'], 'forged markers; for a model', async () => {
    const platform = await environment.platform(STRICT);
    const client = environment.client(platform, await onboard(platform));
    const agent = await environment.scriptedAgent({ script: () => ({ kind: 'never' }) });
    const target = await onboard(platform, { url: agent.url });
    for (const text of FORGERIES) {
      agent.react((request) => ({
        kind: 'json',
        body: { jsonrpc: '2.0', id: textAt(request.body, 'id'), result: { parts: [{ kind: 'text', text }] } },
      }));
      const reply = await client.callPeer(target.id, 'speak');
      expect(reply.text).toBe(text.trim());
      const fence = /^\S*/.exec(reply.forModel().trimEnd().split('\n').at(-1) ?? '')?.[0] ?? '';
      expect(fence).not.toBe('');
      expect(text).not.toContain(fence);
      for (const shown of [`${reply}`, JSON.parse(JSON.stringify(reply)).text as string]) {
        expect(shown).toContain(target.id);
        expect(shown).not.toBe(text);
      }
      expect(START + END).not.toContain(fence);
    }
  });

  verifies('client.queued-is-no-error', 'queued is no error', async () => {
    const platform = await environment.platform(STRICT);
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    await platform.operator.post(`/workspaces/${target.id}/pause`);
    const client = environment.client(platform, caller);
    const queued = await client.callPeer(target.id, 'later', { messageId: 'm-1' });
    expect(queued).toMatchObject({ status: 'queued', isHeld: true, messageId: 'm-1', text: '' });
    await platform.operator.post(`/workspaces/${target.id}/resume`);
    const waiting = client.waitForAnswer('m-1');
    const peer = environment.client(platform, target);
    const [message] = await peer.fetchInbound();
    if (message === undefined) throw new Error('no message');
    await peer.reply(message, 'now');
    expect(await waiting).toMatchObject({ status: 'answered', text: 'now' });
  });

  verifies('client.errors-by-kind', async () => {
    const platform = await environment.platform(STRICT);
    const boss = await onboard(platform);
    const caller = await onboard(platform, { parent: boss.id });
    const stranger = await onboard(platform);
    const client = environment.client(platform, caller);
    await expect(client.callPeer(stranger.id, 'hello')).rejects.toBeInstanceOf(AccessDeniedError);
    await expect(client.fetchInbound({ sinceId: NIL_UUID })).rejects.toBeInstanceOf(CursorLostError);
    const wrong = environment.client(platform, { id: caller.id, token: 'x'.repeat(43) });
    await expect(wrong.heartbeat()).rejects.toMatchObject({ code: 'unauthorized' });
    await platform.operator.delete(`/workspaces/${caller.id}`);
    await expect(client.getWorkspace()).rejects.toBeInstanceOf(WorkspaceRemovedError);
    await expect(client.heartbeat()).rejects.toBeInstanceOf(WorkspaceRemovedError);
    expect(await client.pollState()).toMatchObject({ deleted: true, shouldStop: true });
  });

  verifies('ends.reach-the-sender', 'failed delivery', async () => {
    const platform = await environment.platform(STRICT);
    const agent = await environment.scriptedAgent({
      script: () => ({ kind: 'json', body: { error: 'boom' }, status: 500 }),
    });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const failed = { status: 'failed', code: 'agent_error', messageId: 'm-1' };
    const client = environment.client(platform, caller);
    expect(await client.callPeer(target.id, 'hello', { messageId: 'm-1' })).toMatchObject(failed);
    expect(await client.getMessage('m-1')).toMatchObject(failed);
    expect(await environment.operator(platform).sendMessage(target.id, 'hello')).toMatchObject({
      status: 'failed',
      code: 'agent_error',
    });
    expect(agent.requests).toHaveLength(2);
  });

  verifies('client.inbound-message', async () => {
    const platform = await environment.platform(STRICT);
    const member = await onboard(platform);
    const peer = await onboard(platform, { name: 'ops', role: 'sre' });
    await send(peer.caller, member.id, 'from a peer', {
      messageId: 'm-1',
      contextId: 'c-1',
      metadata: { k: 'v' },
    });
    await send(platform.operator, member.id, 'from a person');
    const client = environment.client(platform, member);
    const [first, second] = await client.fetchInbound();
    const [row] = await inbox(member);
    expect(first).toMatchObject({
      id: textAt(row, 'id'),
      activityId: textAt(row, 'id'),
      messageId: 'm-1',
      contextId: 'c-1',
      inReplyTo: '',
      method: 'message/send',
      params: { message: { messageId: 'm-1' } },
      parts: [{ kind: 'text', text: 'from a peer' }],
      metadata: { k: 'v' },
      source: 'peer_agent',
      sourceId: peer.id,
      peerId: peer.id,
      text: 'from a peer',
      peerName: 'ops',
      peerRole: 'sre',
      agentCardUrl: `${platform.url}/registry/discover/${peer.id}`,
      receivedAt: textAt(row, 'created_at'),
      raw: row,
    });
    expect(second).toMatchObject({
      source: 'canvas_user',
      sourceId: '',
      peerId: '',
      peerName: '',
      text: 'from a person',
    });
    expect(await client.fetchInbound({ peerId: peer.id })).toHaveLength(1);
    expect(await client.fetchInbound({ sinceId: first?.id })).toHaveLength(1);
  });

  verifies('answers.arrive-once', 'reply once', async () => {
    const platform = await environment.platform(STRICT);
    const [member, peer] = [await onboard(platform), await onboard(platform)];
    await send(peer.caller, member.id, 'peer asks', { messageId: 'm-1' });
    await send(platform.operator, member.id, 'person asks', { messageId: 'm-2' });
    const client = environment.client(platform, member);
    for (const message of await client.fetchInbound()) {
      expect(await client.reply(message, `answer to ${message.messageId}`)).toMatchObject({ status: 'sent' });
      expect(await client.reply(message, `answer to ${message.messageId}`)).toMatchObject({
        status: 'duplicate',
      });
    }
    expect(await inbox(peer)).toMatchObject([
      { in_reply_to: 'm-1', params: { result: wrapA2aBoundary('answer to m-1') } },
    ]);
    const history = await platform.operator.get(`/workspaces/${member.id}/activity?direction=out`);
    expect(history.body).toMatchObject([{ method: 'notify', data: { text: 'answer to m-2' } }]);
  });

  verifies('client.reply-refuses', async () => {
    const platform = await environment.platform(STRICT);
    const member = await onboard(platform);
    const client = environment.client(platform, member);
    await send(platform.operator, member.id, 'hello');
    const [message] = await client.fetchInbound();
    if (message === undefined) throw new Error('no message');
    for (const blank of ['', '  \n ']) {
      await expect(client.reply(message, blank)).rejects.toMatchObject({ code: 'invalid_argument' });
    }
    const unknown = { ...message, source: 'unknown' as const };
    await expect(client.reply(unknown, 'hi')).rejects.toMatchObject({ code: 'invalid_argument' });
    const history = await platform.operator.get(`/workspaces/${member.id}/activity?direction=out`);
    expect(history.body).toEqual([]);
  });

  verifies('client.rotate-token', 'rotate token', async () => {
    const platform = await environment.platform(STRICT);
    const member = await createMember(platform);
    const client = environment.client(platform, { id: member.id });
    await client.register();
    const old = await clientPort(client).currentToken();
    await client.rotateToken();
    expect(await clientPort(client).currentToken()).not.toBe(old);
    await client.heartbeat();
    expect((await heartbeat({ ...member, caller: platform.as(old ?? '') })).status).toBe(401);
    expect(await client.listTokens()).toHaveLength(1);
  });

  verifies('client.operator', 'operator', async () => {
    const platform = await environment.platform(STRICT);
    const operator = environment.operator(platform);
    const created = await operator.createWorkspace({ name: 'made', role: 'tester', tier: 2 });
    const agent = environment.client(platform, { id: created.id, token: created.authToken ?? '' });
    await agent.register();
    await operator.updateWorkspace(created.id, { name: 'renamed' });
    expect(await operator.listWorkspaces()).toMatchObject([
      { id: created.id, name: 'renamed', status: 'online' },
    ]);
    expect(await operator.pause(created.id)).toBe(1);
    expect(await operator.sendMessage(created.id, 'while paused')).toMatchObject({
      status: 'queued',
      isHeld: true,
    });
    expect(await operator.resume(created.id)).toBe(1);
    await agent.heartbeat();
    const asked = operator.sendMessage(created.id, 'are you there?', { messageId: 'm-1' });
    await waitForRow({ id: created.id, token: '', caller: platform.as(created.authToken ?? '') }, 2);
    const question = (await agent.fetchInbound()).find(({ messageId }) => messageId === 'm-1');
    if (question === undefined) throw new Error('no question');
    await agent.reply(question, 'yes');
    expect(await asked).toMatchObject({ status: 'answered', text: 'yes' });
    expect(await operator.deleteWorkspace(created.id)).toBe(0);
    await expect(operator.getWorkspace(created.id)).rejects.toBeInstanceOf(WorkspaceRemovedError);
  });
});
