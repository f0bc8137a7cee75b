import { expect } from 'vitest';
import {
  agentOn,
  GENERATIONS,
  MEMBER,
  PEER,
  startReference,
  trackPromise,
} from './harness/reference-agent.ts';
import { stopOnClock } from './harness/test-agent.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const named = (count: number, from = 1) =>
  Array.from({ length: count }, (_, index) => `message ${index + from}`);

onEachDatabase('on the reference platform', { onDisk: true }, (environment) => {
  verifies('reference.backlog-before-a-first-start', 'backlog before a first start', async () => {
    const reference = await startReference(environment);
    for (const text of named(150)) reference.platform.arrive(text, { from: PEER });
    const { agent, handled } = agentOn(environment, reference);
    await agent.start();
    await reference.clock.advanceUntil(() => handled.length >= 150, { limitMs: 7_200_000 });
    for (const text of named(3, 151)) reference.platform.arrive(text);
    await reference.clock.advanceUntil(() => handled.length >= 153, { limitMs: 60_000 });
    await reference.clock.advance(10_000);
    expect(handled).toEqual(named(153));
  });

  verifies('reference.backlog-before-a-first-start', 'backlog of one moment', async () => {
    const reference = await startReference(environment);
    const at = reference.clock.now();
    for (const text of named(30)) reference.platform.arrive(text, { at });
    for (const text of named(15, 31)) reference.platform.arrive(text);
    const { agent, handled } = agentOn(environment, reference);
    await agent.start();
    await reference.clock.advanceUntil(() => handled.length >= 45, { limitMs: 7_200_000 });
    expect(handled).toHaveLength(45);
    expect(new Set(handled)).toEqual(new Set(named(45)));
  });

  verifies('reference.backlog-before-a-first-start', 'backlog end', async () => {
    const reference = await startReference(environment);
    const { clock, platform } = reference;
    platform.ignoresBeforeTs = true;
    for (const text of named(600)) platform.arrive(text, { from: PEER });
    const { agent, handled, log } = agentOn(environment, reference);
    const reads = () => platform.requests.filter(({ path }) => path.includes('/activity')).length;
    await agent.start();
    await clock.advanceUntil(() => handled.length > 0 || reads() > 100, { limitMs: 600_000 });
    expect(handled).not.toEqual([]);
    await clock.advanceUntil(() => handled.length >= 40, { limitMs: 600_000 });
    expect(handled.slice(0, 40)).toEqual(named(40, 101));
    const warnings = log.lines.filter(({ message }) => message.includes('no older rows'));
    expect(new Set(warnings.map(({ level }) => level))).toEqual(new Set(['warn']));
  });

  verifies('reference.backlog-window', async () => {
    const reference = await startReference(environment);
    const now = reference.clock.now();
    for (const text of named(40)) reference.platform.arrive(text, { at: now - 7_200_000 });
    for (const text of named(30, 41)) reference.platform.arrive(text, { at: now - 60_000 });
    const { agent, handled } = agentOn(environment, reference, { sinceSecs: 3_600 });
    await agent.start();
    await reference.clock.advanceUntil(() => handled.length >= 30, { limitMs: 7_200_000 });
    reference.platform.arrive('message 71', { at: now });
    await reference.clock.advanceUntil(() => handled.length >= 31, { limitMs: 60_000 });
    expect(handled).toEqual(named(31, 41));
  });

  verifies('delivery.cursor-rotated-out', 'lost cursor', async () => {
    const reference = await startReference(environment);
    const stateDirectory = environment.folder();
    const early = named(50).map((text) => reference.platform.arrive(text));
    const first = agentOn(environment, reference, { stateDirectory });
    await first.agent.start();
    await reference.clock.advanceUntil(() => first.handled.length >= 50, { limitMs: 7_200_000 });
    await reference.clock.advance(10_000);
    await stopOnClock(reference.clock, first.agent);
    for (const text of named(70, 51)) reference.platform.arrive(text);
    reference.platform.forget(early.at(-1) ?? '');
    const second = agentOn(environment, reference, { stateDirectory });
    await second.agent.start();
    await reference.clock.advanceUntil(() => second.handled.length >= 70, { limitMs: 7_200_000 });
    await reference.clock.advance(10_000);
    expect(second.handled).toEqual(named(70, 51));
  });

  for (const generation of GENERATIONS) {
    verifies('reference.pushed-messages', `pushed messages, ${generation}`, async () => {
      const reference = await startReference(environment, generation);
      for (const text of named(5)) reference.platform.arrive(text, { isPushed: true, from: PEER });
      reference.platform.arrive('only in the feed', { from: PEER });
      const { agent, handled } = agentOn(environment, reference);
      await agent.start();
      await reference.clock.advanceUntil(() => handled.length > 0, { limitMs: 60_000 });
      reference.platform.arrive('pushed later', { isPushed: true, from: PEER });
      await reference.clock.advance(10_000);
      expect(handled).toEqual(['only in the feed']);
    });
  }

  verifies('client.no-repeats', 'no repeats', async () => {
    const { clock, platform } = await startReference(environment);
    const client = environment.client(platform, MEMBER, { connection: { clock } });
    const line = `POST /workspaces/${PEER}/a2a`;
    const attempts = () => platform.requests.filter(({ path }) => path === `/workspaces/${PEER}/a2a`).length;
    platform.next.set(line, [{ kind: 'hang-up' }]);
    const lost = await client.callPeer(PEER, 'may have arrived').catch((error: unknown) => error);
    expect(lost).toMatchObject({ code: 'connection_failed', delivered: 'unknown' });
    platform.next.set(line, [
      { kind: 'json', status: 502, body: { error: 'failed to reach workspace agent' } },
    ]);
    const failed = await client.callPeer(PEER, 'may have run').catch((error: unknown) => error);
    expect(failed).toMatchObject({ status: 502 });
    expect(attempts()).toBe(2);
    platform.next.set(line, [{ kind: 'json', status: 429, body: { error: 'rate limit exceeded' } }]);
    const sent = trackPromise(client.callPeer(PEER, 'was refused'));
    await clock.advanceUntil(() => sent.isSettled, { limitMs: 30_000 });
    expect(await sent.promise).toMatchObject({ status: 'queued' });
    expect(attempts()).toBe(4);
    platform.next.set(line, [
      { kind: 'json', status: 503, body: { error: 'workspace agent busy', busy: true, retry_after: 1 } },
    ]);
    const busy = await client.callPeer(PEER, 'may be in work').catch((error: unknown) => error);
    expect(busy).toMatchObject({ status: 503 });
    expect(attempts()).toBe(5);
    expect(platform.sent).toHaveLength(1);
  });

  verifies('client.delivered-unknown', 'timeout hint', async () => {
    const { clock, platform } = await startReference(environment);
    const client = environment.client(platform, MEMBER, { connection: { clock } });
    await client.heartbeat();
    platform.next.set(`POST /workspaces/${PEER}/a2a`, [{ kind: 'never' }]);
    const call = trackPromise(client.callPeer(PEER, 'slow').catch((error: unknown) => error));
    await clock.advanceUntil(() => call.isSettled, { limitMs: 60_000 });
    expect(await call.promise).toMatchObject({
      code: 'timed_out',
      delivered: 'unknown',
      hint: expect.stringContaining('a second call may run the peer again'),
    });
  });

  verifies('client.queued-is-no-error', 'answer on the feed', async () => {
    const { clock, platform } = await startReference(environment);
    const client = environment.client(platform, MEMBER, { connection: { clock } });
    const sent = await client.callPeer(PEER, 'a question');
    expect(sent.status).toBe('queued');
    const waiting = trackPromise(client.waitForAnswer(sent.messageId));
    await clock.advance(10_000);
    expect(waiting.isSettled).toBe(false);
    platform.arrive('of somebody else', { from: PEER, inReplyTo: 'another message' });
    platform.arrive('the answer', { from: PEER, inReplyTo: sent.messageId });
    await clock.advanceUntil(() => waiting.isSettled, { limitMs: 30_000 });
    const reply = await waiting.promise;
    expect(reply).toMatchObject({ status: 'answered', peerId: PEER, messageId: sent.messageId });
    expect(reply.text).toBe('the answer');
    const inVain = trackPromise(client.waitForAnswer('never-answered', { timeoutMs: 20_000 }));
    await clock.advanceUntil(() => inVain.isSettled, { limitMs: 60_000 });
    expect(await inVain.promise).toMatchObject({ status: 'queued' });
  });

  verifies('client.answer-of-the-asked', async () => {
    const { clock, platform } = await startReference(environment);
    const client = environment.client(platform, MEMBER, { connection: { clock } });
    const other = '33333333-3333-4333-8333-333333333333';
    const { messageId } = await client.callPeer(PEER, 'a question');
    platform.arrive('forged', { from: other, inReplyTo: messageId });
    const inVain = trackPromise(client.waitForAnswer(messageId, { timeoutMs: 20_000 }));
    await clock.advanceUntil(() => inVain.isSettled, { limitMs: 60_000 });
    expect(await inVain.promise).toMatchObject({ status: 'queued', peerId: PEER });
    platform.arrive('the answer', { from: PEER, inReplyTo: messageId });
    expect(await client.waitForAnswer(messageId)).toMatchObject({ status: 'answered', peerId: PEER });
    const restarted = environment.client(platform, MEMBER, { connection: { clock } });
    const named = await restarted.waitForAnswer(messageId, { peerId: PEER.toUpperCase() });
    expect(named).toMatchObject({ status: 'answered', peerId: PEER, text: 'the answer' });
    expect(await restarted.waitForAnswer(messageId)).toMatchObject({ status: 'answered', peerId: other });
  });

  verifies('trust.own-metadata', 'named states', async () => {
    const { clock, platform } = await startReference(environment);
    const client = environment.client(platform, MEMBER, { connection: { clock } });
    const line = `POST /workspaces/${PEER}/a2a`;
    const status = {
      state: 'completed',
      message: { role: 'agent', parts: [{ kind: 'text', text: 'done' }] },
    };
    for (const state of ['failed', 'expired', 'canceled', 'queued', 'input_required', 'unanswered']) {
      const result = { kind: 'task', id: 'x', status, metadata: { state, code: 'workspace_removed' } };
      platform.next.set(line, [{ kind: 'json', body: { jsonrpc: '2.0', id: 1, result } }]);
      expect(await client.callPeer(PEER, 'do it'), state).toMatchObject({ status: 'answered', code: null });
    }
  });

  verifies('reference.nothing-unknown-is-sent', 'no message state', async () => {
    const { clock, platform } = await startReference(environment);
    const client = environment.client(platform, MEMBER, { connection: { clock } });
    const operator = environment.operator({ url: platform.url, operatorKey: 'operator-key' });
    const unsupported = { code: 'not_supported' };
    await expect(client.getMessage('m-1')).rejects.toMatchObject(unsupported);
    await expect(client.getMessage('m-1')).rejects.toMatchObject(unsupported);
    await expect(operator.waitForAnswer(PEER, 'm-1')).rejects.toMatchObject(unsupported);
  });

  verifies('answers.arrive-once', 'reply shown once', async () => {
    const reference = await startReference(environment);
    const stateDirectory = environment.folder();
    const first = agentOn(environment, reference, { stateDirectory, answer: 'the answer' });
    await first.agent.start();
    reference.platform.arrive('a question', { messageId: 'asked-once' });
    await reference.clock.advanceUntil(() => reference.platform.shown.length > 0, { limitMs: 60_000 });
    reference.platform.arrive('a question', { messageId: 'asked-once' });
    await reference.clock.advance(10_000);
    await stopOnClock(reference.clock, first.agent);
    reference.platform.arrive('a question', { messageId: 'asked-once' });
    const second = agentOn(environment, reference, { stateDirectory, answer: 'the answer' });
    await second.agent.start();
    await reference.clock.advance(10_000);
    expect(reference.platform.shown).toEqual(['the answer']);
    expect(second.handled).toEqual([]);
  });
});
