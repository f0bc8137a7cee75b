import { randomUUID } from 'node:crypto';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { type AgentScript, ManualClock } from '@molecule-tests/harness';
import { describe, expect } from 'vitest';
import { textAt } from './harness/http.ts';
import { inbox, type Member, onboard, send, waitForRow } from './harness/members.ts';
import { createTestAgent, DELIVERIES, type Handler, startTestAgent } from './harness/test-agent.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const POLL_MS = 5_000;

async function stateOf(sender: Member, messageId: string): Promise<string> {
  return textAt((await sender.caller.get(`/workspaces/${sender.id}/messages/${messageId}`)).body, 'state');
}

/** A handler that runs until it is asked to end, or its signal aborts. */
function heldHandler() {
  const signals = new Map<string, AbortSignal>();
  const ends = new Map<string, () => void>();
  const handler: Handler = ({ text }, { signal }) => {
    signals.set(text, signal);
    return new Promise((resolve) => {
      const end = () => resolve(`answer to ${text}`);
      ends.set(text, end);
      signal.addEventListener('abort', end, { once: true });
    });
  };
  return { signals, handler, end: (text: string) => ends.get(text)?.() };
}

/** Counts the reads of control rows of a client. */
function countReads(client: object): () => number {
  let count = 0;
  const port = clientPort(client);
  const read = port.fetchCancellations;
  port.fetchCancellations = (...options) => {
    count += 1;
    return read(...options);
  };
  return () => count;
}

/** Lets requests that are under way complete, without moving time. */
async function whileTimeStands(clock: ManualClock, condition: () => boolean): Promise<void> {
  for (let round = 0; round < 500 && !condition(); round += 1) await clock.advance(0);
  expect(condition()).toBe(true);
}

async function startHeldAgent(environment: TestEnvironment, delivery: 'long-poll' | 'poll', concurrency = 4) {
  const held = heldHandler();
  const started = await startTestAgent(environment, { delivery, concurrency, onMessage: held.handler });
  const peer = await onboard(started.platform);
  return { ...started, held, peer, sender: environment.client(started.platform, peer) };
}

onEachDatabase('cancelling', (environment) => {
  describe.each(DELIVERIES)('by $delivery', ({ delivery }) => {
    verifies(
      ['agent.signal-aborts', 'ends.late-reply'],
      'aborts the handler; late results are ignored',
      async () => {
        const { member, clock, held, peer, sender, until, untilAllAcknowledged } = await startHeldAgent(
          environment,
          delivery,
        );
        for (const id of ['kept', 'revoked']) {
          await send(peer.caller, member.id, id, { messageId: id, contextId: id });
        }
        await until(() => held.signals.size === 2);
        // The reader of control rows is open.
        await clock.advance(POLL_MS);
        expect((await sender.cancelTask('revoked')).status).toBe('canceled');
        const signal = held.signals.get('revoked');
        if (delivery === 'long-poll') await whileTimeStands(clock, () => signal?.aborted === true);
        else await clock.advance(POLL_MS);
        expect(signal?.reason).toMatchObject({ code: 'cancelled_by_sender' });
        expect(held.signals.get('kept')?.aborted).toBe(false);
        held.end('kept');
        await untilAllAcknowledged();
        expect(await stateOf(peer, 'revoked')).toBe('canceled');
        expect(await stateOf(peer, 'kept')).toBe('answered');
        const rows = JSON.stringify(await inbox(peer));
        expect(rows).toContain('answer to kept');
        expect(rows).not.toContain('answer to revoked');
      },
    );

    verifies('cancel.queued-never-runs', 'waiting for a slot and for its conversation', async () => {
      const { member, clock, held, handled, peer, sender, until, untilAllAcknowledged, agent } =
        await startHeldAgent(environment, delivery, 1);
      const cancelled: string[] = [];
      agent.on('cancelled', ({ text }) => cancelled.push(text));
      await send(peer.caller, member.id, 'first', { messageId: 'first', contextId: 'a' });
      await send(peer.caller, member.id, 'same', { messageId: 'same', contextId: 'a' });
      await send(peer.caller, member.id, 'other', { messageId: 'other', contextId: 'b' });
      await until(() => held.signals.size === 1);
      await clock.advance(POLL_MS);
      for (const id of ['same', 'other']) await sender.cancelTask(id);
      await until(() => cancelled.length === 2);
      // The slot was never free.
      expect(held.signals.get('first')?.aborted).toBe(false);
      held.end('first');
      await untilAllAcknowledged();
      expect(handled).toEqual(['first']);
      for (const id of ['same', 'other']) expect(await stateOf(peer, id)).toBe('canceled');
    });

    verifies('cancel.queued-never-runs', 'waiting for its next attempt', async () => {
      const { platform, member, agent, handled, clock, until, untilAllAcknowledged } = await startTestAgent(
        environment,
        {
          delivery,
          onMessage: () => {
            throw new Error('cannot');
          },
        },
      );
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'poison', { messageId: 'poison' });
      // The third attempt is followed by a pause of 16 s.
      await until(() => handled.length === 3);
      await environment.client(platform, peer).cancelTask('poison');
      let isCancelled = false;
      agent.on('cancelled', () => {
        isCancelled = true;
      });
      await until(() => isCancelled, POLL_MS);
      await untilAllAcknowledged();
      await clock.advance(120_000);
      expect(handled).toHaveLength(3);
      expect(agent.health().deadLetters).toBe(0);
    });

    verifies('cancel.control-rows', 'read while working', async () => {
      const { member, client, clock, held, peer, until, untilAllAcknowledged } = await startHeldAgent(
        environment,
        delivery,
      );
      const reads = countReads(client);
      await clock.advance(60_000);
      expect(reads()).toBe(0);
      await send(peer.caller, member.id, 'slow');
      await until(() => held.signals.size === 1);
      await until(() => reads() > 0, POLL_MS);
      held.end('slow');
      await untilAllAcknowledged();
      const before = reads();
      await clock.advance(120_000);
      expect(reads()).toBe(before);
    });
  });

  verifies('cancel.ends-the-message', 'by the client', async () => {
    const platform = await environment.platform();
    const [peer, target] = [await onboard(platform), await onboard(platform)];
    const sender = environment.client(platform, peer);
    await send(peer.caller, target.id, 'work', { messageId: 'm-1', contextId: 'c-1' });
    const reply = await sender.cancelTask('m-1');
    expect(reply).toMatchObject({
      status: 'canceled',
      text: '',
      peerId: target.id,
      contextId: 'c-1',
    });
    expect((await sender.cancelTask('m-1')).status).toBe('canceled');
    expect(await inbox(target)).toEqual([]);
    await send(peer.caller, target.id, 'quick', { messageId: 'quick' });
    await send(target.caller, peer.id, 'done', { metadata: { in_reply_to: 'quick' } });
    expect(await sender.cancelTask('quick')).toMatchObject({ status: 'answered', text: 'done' });
    const operator = environment.operator(platform);
    await send(platform.operator, target.id, 'of a person', { messageId: 'p-1' });
    expect(await operator.cancelMessage(target.id, 'p-1')).toMatchObject({
      status: 'canceled',
      messageId: 'p-1',
    });
    const unknown = { code: 'not_found', platformCode: 'message_not_found' };
    await expect(sender.cancelTask(randomUUID())).rejects.toMatchObject(unknown);
    await expect(environment.client(platform, target).cancelTask('m-1')).rejects.toMatchObject(unknown);
    await expect(operator.cancelMessage(target.id, randomUUID())).rejects.toMatchObject(unknown);
  });

  verifies('cancel.aborted-call', 'aborted call', async () => {
    const platform = await environment.platform();
    const [peer, target] = [await onboard(platform), await onboard(platform)];
    // The first request of one client is the call; another one knows the platform.
    const [fresh, used] = [environment.client(platform, peer), environment.client(platform, peer)];
    await used.getPeers();
    const operator = environment.operator(platform);
    const reason = new Error('no longer needed');
    for (const [index, call] of [
      (signal: AbortSignal) => fresh.callPeer(target.id, 'work', { signal, messageId: 'm-0' }),
      (signal: AbortSignal) => used.callPeer(target.id, 'work', { signal, messageId: 'm-1' }),
      (signal: AbortSignal) => operator.sendMessage(target.id, 'work', { signal, messageId: 'm-2' }),
    ].entries()) {
      const abort = new AbortController();
      const calling = call(abort.signal);
      calling.catch(() => {});
      await waitForRow(target);
      abort.abort(reason);
      await expect(calling).rejects.toBe(reason);
      await (index === 2 ? operator : index === 1 ? used : fresh).close();
      expect(await inbox(target)).toEqual([]);
    }
    expect([await stateOf(peer, 'm-0'), await stateOf(peer, 'm-1')]).toEqual(['canceled', 'canceled']);
    const person = await platform.operator.get(`/workspaces/${target.id}/messages/m-2`);
    expect(textAt(person.body, 'state')).toBe('canceled');
  });

  verifies('cancel.only-on-request', 'timeout cancels nothing', async () => {
    const platform = await environment.platform({ clock: 'manual' });
    const [peer, target] = [await onboard(platform), await onboard(platform)];
    const clock = new ManualClock();
    const sender = environment.client(platform, peer, { connection: { clock }, limits: { maxRetries: 0 } });
    await sender.getPeers();
    const call = sender.callPeer(target.id, 'work', { messageId: 'm-1', timeoutMs: 1_000 });
    call.catch(() => {});
    await waitForRow(target);
    await clock.advance(1_000);
    await expect(call).rejects.toMatchObject({ code: 'timed_out' });
    const abort = new AbortController();
    const waiting = sender.waitForAnswer('m-1', { signal: abort.signal });
    waiting.catch(() => {});
    await clock.advance(0);
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await sender.close();
    expect(await stateOf(peer, 'm-1')).toBe('queued');
    expect(await inbox(target)).toHaveLength(1);
  });
});

// The platform is scripted here, because only an older one cannot cancel. No database takes part.
onEachDatabase('a platform that cannot cancel', { onDisk: true }, (environment) => {
  verifies('reference.nothing-unknown-is-sent', 'not supported', async () => {
    const headers = { 'x-molecule-capabilities': 'acknowledge, outcomes, long-poll, message-status' };
    const row = {
      id: randomUUID(),
      activity_type: 'a2a_receive',
      type: 'a2a_receive',
      method: 'message/send',
      source_id: randomUUID(),
      message_id: 'm-1',
      request_body: { params: { message: { role: 'user', parts: [{ kind: 'text', text: 'work' }] } } },
      created_at: '2026-11-02T09:00:00Z',
    };
    const script: AgentScript = ({ method, path, text }) => {
      if (text.includes('never')) return { kind: 'never' };
      if (method === 'POST') return { kind: 'json', headers, body: { status: 'ok', workspace_id: 'w' } };
      return { kind: 'json', headers, body: path.includes('unacknowledged') ? [row] : [] };
    };
    const scripted = await environment.scriptedAgent({ script });
    const clock = (await environment.platform({ clock: 'manual' })).clock;
    const member = { id: randomUUID(), token: 'a-token-of-43-characters-aaaaaaaaaaaaaaaaaaa' };
    const held = heldHandler();
    const { agent, client } = createTestAgent(
      environment,
      { url: scripted.url, clock } as never,
      member as never,
      { delivery: 'poll', onMessage: held.handler },
    );
    await agent.start();
    await clock.advanceUntil(() => held.signals.size === 1);
    await clock.advance(60_000);
    const before = scripted.requests.length;
    const refused = { code: 'not_supported', hint: expect.any(String) };
    await expect(client.cancelTask('m-1')).rejects.toMatchObject(refused);
    expect(scripted.requests).toHaveLength(before);
    const abort = new AbortController();
    const call = client.callPeer(randomUUID(), 'never', { signal: abort.signal });
    call.catch(() => {});
    await scripted.received(before + 1);
    abort.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    await clock.advance(20_000);
    const lines = scripted.requests.map(({ path, text }) => `${path} ${text}`).join('\n');
    expect(lines).not.toContain('only=control');
    expect(lines).not.toContain('tasks/cancel');
    held.end('work');
  });
});
