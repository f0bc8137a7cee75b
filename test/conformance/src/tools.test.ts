import { type PeerToolsOptions, peerTools } from '@molecule-ai/core/adapter-kit';
import type { ScriptedPeerOptions } from '@molecule-ai/core/testing';
import { expect } from 'vitest';
import { expectFencedOutcome, toolStage } from './harness/tool-stage.ts';
import { verifies } from './verifies.ts';

async function stage(options: ScriptedPeerOptions = {}, toolOptions: Omit<PeerToolsOptions, 'only'> = {}) {
  const staged = await toolStage(options);
  const tools = peerTools(staged.client, {
    ...toolOptions,
    only: ['list_peers', 'call_peer', 'delegate_task'],
  });
  const [listPeers, callPeer, delegateTask] = tools;
  return { ...staged, listPeers, callPeer, delegateTask };
}

verifies(['tools.definitions', 'tools.list-peers'], 'the list of peers, and what has no room', async () => {
  const { client, platform, peer, listPeers, settle } = await stage({
    name: 'clerk',
    workspace: { role: 'files things' },
  });
  expect(peerTools(client).map(({ name }) => name)).not.toContain('delegate_task');
  const outcome = await settle(listPeers.execute({}));
  expect(outcome).toMatchObject({
    isError: false,
    data: { status: 'ok', peers: [{ id: peer.id, name: 'clerk', role: 'files things' }], omitted: 0 },
  });
  expect(outcome.forModel).toContain(`1. ${peer.id} (online)`);
  expectFencedOutcome(outcome, 'clerk', 'files things');
  expect(await settle(listPeers.execute(null))).toEqual(outcome);
  for (let count = 0; count < 20; count += 1) await platform.createWorkspace(`other ${count}`);
  const [short] = peerTools(client, { only: ['list_peers'], maxModelChars: 1_000 });
  const cut = await settle(short.execute({}));
  const { omitted = 0 } = cut.data.status === 'ok' ? cut.data : {};
  expect(omitted).toBeGreaterThan(5);
  expect(cut.forModel).toContain(`${omitted} more peers are left out.`);
});

verifies('tools.call-peer', 'an answer, silence, a failure, parts and a long answer', async () => {
  const { peer, callPeer, delegateTask, settle } = await stage(
    {
      script: [
        'The answer.',
        null,
        { fail: 'The disk is full.', code: 'disk_full' },
        { text: 'See:', parts: [{ kind: 'data', data: { page: 7 } }] },
        `${'x'.repeat(2_000)}canary-behind`,
      ],
    },
    { maxModelChars: 1_000 },
  );
  const ask = { peer_id: peer.id, text: 'hello' };
  const first = await settle(callPeer.execute(ask));
  expect(first).toMatchObject({
    isError: false,
    data: { status: 'answered', text: 'The answer.', omitted: 0 },
  });
  expect(first.forModel).toMatch(/^The peer [0-9a-f-]{36} answered:\n<peer-text-/);
  expectFencedOutcome(first, 'The answer.');
  expect(structuredClone(first)).toEqual(first);
  expect(await settle(delegateTask.execute({ workspace_id: peer.id, task: 'hello' }))).toMatchObject({
    isError: false,
    data: { status: 'unanswered', text: '' },
  });
  const failed = await settle(callPeer.execute(ask));
  expect(failed).toMatchObject({ isError: true, data: { status: 'failed', code: 'disk_full' } });
  expectFencedOutcome(failed, 'The disk is full.', 'disk_full');
  const parts = await settle(callPeer.execute(ask));
  expectFencedOutcome(parts, 'See:', '"page":7');
  const long = await settle(callPeer.execute(ask));
  expect(long).toMatchObject({ data: { text: 'x'.repeat(1_000), omitted: 1_013 } });
  expect(long.forModel).toContain('1013 more characters are left out.');
  expect(long.forModel).not.toContain('canary-behind');
});

verifies('tools.one-message-per-call', 'one message per call', async () => {
  const { newClient, peer, callPeer, settle } = await stage({
    answer: (message) => `to ${message.text}`,
  });
  const ask = { peer_id: peer.id, text: 'hello' };
  const call = { callId: 'call_0', runId: 'run-1' };
  const [first, second] = await settle(
    Promise.all([callPeer.execute(ask, call), callPeer.execute(ask, call)]),
  );
  expect(second).toEqual(first);
  const [again] = peerTools(newClient(), { only: ['call_peer'] });
  expect(await settle(again.execute(ask, call))).toEqual(first);
  expect(peer.received).toHaveLength(1);
  await settle(callPeer.execute(ask, { ...call, runId: 'run-2' }));
  await settle(callPeer.execute({ ...ask, text: 'other' }, call));
  await settle(callPeer.execute(ask, { callId: 'call_0' }));
  await settle(callPeer.execute(ask, { callId: 'call_0' }));
  expect(peer.received).toHaveLength(5);
});

verifies('tools.conversation', async () => {
  const { newClient, peer, callPeer, settle } = await stage();
  const ask = { peer_id: peer.id, text: 'hello' };
  const call = (callId: string, threadId = 'thread') => ({ callId, runId: 'run', threadId });
  const conversations = () => peer.received.map(({ contextId }) => contextId);
  await settle(callPeer.execute(ask, call('1')));
  await settle(callPeer.execute(ask, call('2')));
  await settle(callPeer.execute({ ...ask, new_conversation: true }, call('3')));
  const newer = await settle(callPeer.execute(ask, call('4')));
  await settle(callPeer.execute(ask, call('5', 'other')));
  await settle(callPeer.execute(ask, {}));
  await settle(callPeer.execute(ask, {}));
  const [first, second, third, fourth, ...others] = conversations();
  expect(second).toBe(first);
  expect(fourth).toBe(third);
  expect(new Set([first, third, ...others]).size).toBe(5);
  // A process that does not know of the newer conversation repeats the call, and sends nothing.
  const [again] = peerTools(newClient(), { only: ['call_peer'] });
  expect(await settle(again.execute(ask, call('4')))).toEqual(newer);
  expect(peer.received).toHaveLength(7);
  await settle(again.execute(ask, call('6')));
  expect(conversations().at(-1)).toBe(first);
});

verifies('tools.progress', async () => {
  const { platform, peer, callPeer, settle } = await stage({
    script: [{ stream: ['one ', 'two ', 'three'], everyMs: 1_000 }],
  });
  const seen: string[] = [];
  const ask = { peer_id: peer.id, text: 'count' };
  const onProgress = (text: string) => seen.push(text);
  const outcome = await settle(callPeer.execute(ask, { onProgress }));
  expect(outcome).toMatchObject({ data: { status: 'answered', text: 'one two three' } });
  expect(seen.join('')).toBe('one two three');
  expect(seen.length).toBeGreaterThan(1);
  await platform.pause(peer.id);
  const startedAt = platform.clock.now();
  const queued = await settle(callPeer.execute(ask, { onProgress }));
  expect(queued).toMatchObject({ isError: false, data: { status: 'queued', isHeld: true } });
  expect(platform.clock.now() - startedAt).toBeLessThan(10_000);
});

verifies('tools.abort', 'abort', async () => {
  const { platform, client, peer, callPeer, settle } = await stage({ answer: { never: true } });
  for (const onProgress of [undefined, () => {}]) {
    const controller = new AbortController();
    const reason = new Error('enough');
    const call = { signal: controller.signal, callId: '1', runId: `run ${onProgress}`, onProgress };
    const running = callPeer.execute({ peer_id: peer.id, text: 'work' }, call);
    const rejected = expect(running).rejects.toBe(reason);
    const count = peer.received.length;
    await platform.clock.advanceUntil(() => peer.received.length > count);
    controller.abort(reason);
    await rejected;
    const { messageId = '' } = peer.received.at(-1) ?? {};
    await platform.clock.advanceUntil(() => peer.agent.health().inFlight === 0);
    expect((await settle(client.getMessage(messageId))).status).toBe('canceled');
    await expect(callPeer.execute({ peer_id: peer.id, text: 'work' }, call)).rejects.toBe(reason);
  }
});
