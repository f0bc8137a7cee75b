import { peerTools } from '@molecule-ai/core/adapter-kit';
import { chaos } from '@molecule-ai/core/testing';
import { expect } from 'vitest';
import { expectFencedOutcome, toolStage } from './harness/tool-stage.ts';
import { verifies } from './verifies.ts';

const UNKNOWN = '7c1d2e3f-4a5b-4c6d-8e7f-9a0b1c2d3e4f';

verifies('tools.ends', 'ends', async () => {
  const { client, peer, platform, settle } = await toolStage({
    script: [
      'Fine.',
      null,
      { fail: 'No paper.', code: 'no_paper' },
      { never: true },
      ...[1, 2, 3, 4, 5].map(() => ({ error: new Error('bug') })),
      { never: true },
    ],
  });
  const [callPeer] = peerTools(client, { only: ['call_peer', 'check_task_status'], timeoutMs: 200_000 });
  const ask = { peer_id: peer.id, text: 'Print it.' };
  const answered = await settle(callPeer.execute(ask));
  expect(answered).toMatchObject({ isError: false, data: { status: 'answered' } });
  const unanswered = await settle(callPeer.execute(ask));
  expect(unanswered).toMatchObject({ isError: false, data: { status: 'unanswered' } });
  expect(unanswered.forModel).toBe(`The peer ${peer.id} handled the message and has nothing to say.`);
  const failed = await settle(callPeer.execute(ask));
  expect(failed).toMatchObject({ isError: true, data: { status: 'failed', code: 'no_paper' } });
  expect(failed.forModel).toMatch(/failed\. Ask another peer, do it yourself, or tell the user\./);
  const canceled = callPeer.execute(ask);
  await platform.clock.advanceUntil(() => peer.received.length === 4);
  await client.cancelTask(peer.received[3]?.messageId ?? '');
  expect(await settle(canceled)).toMatchObject({ isError: true, data: { status: 'canceled' } });
  const bug = await settle(callPeer.execute(ask));
  expect(bug).toMatchObject({ isError: true, data: { status: 'failed', code: 'handler_failed' } });
  const queued = await settle(callPeer.execute(ask));
  expect(queued).toMatchObject({ isError: false, data: { status: 'queued', isHeld: false } });
  expect(queued.forModel).toMatch(/do not send it again\. .* call check_task_status with task_id "/);
  await platform.pause(peer.id);
  const held = await settle(callPeer.execute(ask));
  expect(held).toMatchObject({ isError: false, data: { status: 'queued', isHeld: true } });
  expect(held.forModel).toContain('is paused');
});

verifies('tools.ends', 'a message that expires', async () => {
  const { client, peer, platform, settle } = await toolStage({}, { limits: { messageTtlMs: 60_000 } });
  const [delegate, check] = peerTools(client, { only: ['delegate_task_async', 'check_task_status'] });
  await platform.pause(peer.id);
  const given = await settle(delegate.execute({ workspace_id: peer.id, task: 'Count.' }));
  expect(given.forModel).toContain('when it is resumed');
  await platform.clock.advance(120_000);
  const taskId = given.data.status === 'error' ? '' : given.data.messageId;
  expect(await settle(check.execute({ task_id: taskId }))).toMatchObject({
    isError: true,
    data: { status: 'expired' },
  });
});

verifies('tools.ends', 'failures', async () => {
  const { client, newClient, peer, platform, settle } = await toolStage();
  const [callPeer, delegate] = peerTools(client, { only: ['call_peer', 'delegate_task_async'] });
  const child = await platform.createWorkspace('nephew', { parent_id: peer.id });
  const codeFor = async (peerId: string) => {
    const outcomes = [
      await settle(callPeer.execute({ peer_id: peerId, text: 'hello' })),
      await settle(callPeer.execute({ peer_id: peerId, text: 'hello' }, { onProgress: () => {} })),
      await settle(delegate.execute({ workspace_id: peerId, task: 'hello' })),
    ];
    for (const { isError } of outcomes) expect(isError).toBe(true);
    const codes = new Set(outcomes.map(({ data }) => data.status === 'error' && data.code));
    expect(codes.size).toBe(1);
    return [...codes][0];
  };
  expect(await codeFor(child.workspaceId)).toBe('access_denied');
  expect(await codeFor(UNKNOWN)).toBe('access_denied');
  expect(await codeFor('researcher')).toBe('request_rejected');
  expect((await settle(callPeer.execute({ peer_id: 'researcher', text: 'hello' }))).forModel).toBe(
    'Error: This is not the id of a workspace. Ask another peer, do it without, or tell the user.',
  );
  expect(await codeFor('../admin')).toBe('invalid_argument');
  const other = await platform.createWorkspace('gone');
  await platform.remove(other.workspaceId);
  expect(['workspace_removed', 'access_denied']).toContain(await codeFor(other.workspaceId));

  const down = chaos(platform.connection.dispatcher, {
    rules: [{ fault: 'drop', lost: 'connection' }],
    clock: platform.clock,
  });
  const [cut] = peerTools(newClient({ connection: { ...platform.connection, dispatcher: down } }), {
    only: ['call_peer'],
  });
  const lost = await settle(cut.execute({ peer_id: peer.id, text: 'hello' }));
  expect(lost).toMatchObject({ isError: true, data: { code: 'connection_failed' } });
  expect(lost.forModel).toContain('Try again later, ask another peer, or do it without.');
  const stranger = newClient({ authToken: 'not-a-token-of-anybody-0123456789abcdefghijk' });
  const [unknown] = peerTools(stranger, { only: ['call_peer'] });
  expect(await settle(unknown.execute({ peer_id: peer.id, text: 'hello' }))).toMatchObject({
    data: { code: 'unauthorized' },
  });
  await stranger.close();
  expect(await settle(unknown.execute({ peer_id: peer.id, text: 'hello' }))).toMatchObject({
    data: { code: 'client_closed' },
  });
  await platform.remove(client.workspaceId);
  const gone = await settle(callPeer.execute({ peer_id: peer.id, text: 'hello' }));
  expect(gone.forModel).toContain('The workspace of this agent was removed. Stop');
});

verifies('tools.one-message-per-call', 'in a handler', async () => {
  const { client, peer, handle } = await toolStage({ answer: 'pong' });
  const [callPeer] = peerTools(client, { only: ['call_peer'] });
  const seen: unknown[] = [];
  const reply = await handle(async (_message, { attempt }) => {
    const call = { callId: 'call_0', runId: `run of attempt ${attempt}` };
    const outcome = await callPeer.execute({ peer_id: peer.id, text: 'ping' }, call);
    seen.push(outcome);
    if (attempt === 1) throw new Error('again');
    return outcome.forModel;
  });
  expectFencedOutcome({ forModel: reply.text }, 'pong');
  expect(seen).toHaveLength(2);
  expect(seen[0]).toEqual(seen[1]);
  expect(peer.received).toHaveLength(1);
});

verifies('tools.one-message-per-call', 'agents that ask each other in a circle', async () => {
  const { client, peer, handle, settle } = await toolStage();
  const codes: unknown[] = [];
  const [back] = peerTools(peer.client, { only: ['call_peer'] });
  peer.script(async () => {
    const outcome = await back.execute({ peer_id: client.workspaceId, text: 'and you?' });
    codes.push(outcome.data.status === 'error' ? outcome.data.code : outcome.data.status);
    return outcome.forModel;
  });
  const [callPeer] = peerTools(client, { only: ['call_peer'] });
  const reply = await handle(async () => {
    const outcome = await callPeer.execute({ peer_id: peer.id, text: 'and you?' });
    codes.push(outcome.data.status === 'error' ? outcome.data.code : outcome.data.status);
    return outcome.forModel;
  });
  expect(reply.status).toBe('answered');
  expect(codes).toContain('loop_detected');
  await settle(Promise.resolve());
});

verifies('tools.patience', 'patience', async () => {
  const { client, peer, platform, settle } = await toolStage({
    script: [
      { afterMs: 90_000, answer: 'after 90 s' },
      { afterMs: 400_000, answer: 'after 400 s' },
      { afterMs: 400_000, answer: 'after 400 s' },
      { afterMs: 90_000, answer: 'too late' },
    ],
  });
  const ask = { peer_id: peer.id, text: 'Take your time.' };
  const [callPeer] = peerTools(client, { only: ['call_peer'] });
  expect(await settle(callPeer.execute(ask))).toMatchObject({ data: { text: 'after 90 s' } });
  const [patient] = peerTools(client, { only: ['call_peer'], timeoutMs: 500_000 });
  expect(await settle(patient.execute(ask))).toMatchObject({ data: { text: 'after 400 s' } });
  const call = { onProgress: () => {} };
  expect(await settle(patient.execute(ask, call))).toMatchObject({ data: { text: 'after 400 s' } });
  const [hurried] = peerTools(client, { only: ['call_peer'], timeoutMs: 10_000 });
  const startedAt = platform.clock.now();
  expect(await settle(hurried.execute(ask))).toMatchObject({ data: { status: 'queued' } });
  expect(platform.clock.now() - startedAt).toBeLessThan(11_000);
});

verifies('tools.call-peer', 'parallel', async () => {
  const { client, peer, settle } = await toolStage({ answer: (message) => `to ${message.text}` });
  const [callPeer] = peerTools(client, { only: ['call_peer'] });
  const calls = Array.from({ length: 20 }, (_, at) => `message ${at}`);
  for (const scope of [{}, { threadId: 'one conversation' }]) {
    const outcomes = await settle(
      Promise.all(
        calls.map((text, at) =>
          callPeer.execute(
            { peer_id: peer.id, text },
            { ...scope, runId: JSON.stringify(scope), callId: `call_${at}` },
          ),
        ),
      ),
    );
    expect(outcomes.map(({ data }) => data.status === 'answered' && data.text)).toEqual(
      calls.map((text) => `to ${text}`),
    );
  }
  expect(peer.received).toHaveLength(40);
});
