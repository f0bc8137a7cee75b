import { MessageFailure } from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { describe, expect } from 'vitest';
import { textAt, trackCall, valueAt } from './harness/http.ts';
import { inbox, inboxTexts, type Member, onboard, send } from './harness/members.ts';
import { createTestAgent, DELIVERIES, startTestAgent, stopOnClock } from './harness/test-agent.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const MINUTE = 60_000;
const GAVE_UP = 'The agent failed to handle this message.';

/** The record of a message that `member` sent. */
async function recordOf(member: Member, messageId: string): Promise<unknown> {
  return (await member.caller.get(`/workspaces/${member.id}/messages/${messageId}`)).body;
}

async function stateOf(member: Member, messageId: string): Promise<string> {
  return textAt(await recordOf(member, messageId), 'state');
}

function refuse(): never {
  throw new MessageFailure('There is no such invoice.', {
    code: 'no_such_invoice',
    cause: new Error('row 7 of the vault'),
  });
}

onEachDatabase('the end of a message', (environment) => {
  describe.each(DELIVERIES)('by $delivery', ({ delivery }) => {
    verifies('ends.unanswered', 'unanswered', async () => {
      const { platform, member, until, untilAllAcknowledged } = await startTestAgent(environment, {
        delivery,
        onMessage: () => undefined,
      });
      const peer = await onboard(platform);
      for (const caller of [peer.caller, platform.operator]) {
        const held = trackCall(send(caller, member.id, 'hello', { hold: 60 }));
        await until(() => held.isComplete);
        const response = await held.response;
        expect(response.status).toBe(200);
        expect(response.body).toMatchObject({
          result: { kind: 'task', status: { state: 'completed' }, metadata: { state: 'unanswered' } },
        });
        expect(valueAt(response.body, 'result', 'status', 'message')).toBeUndefined();
      }
      await send(peer.caller, member.id, 'hello', { messageId: 'later' });
      await untilAllAcknowledged();
      const reply = await environment.client(platform, peer).waitForAnswer('later');
      expect([reply.status, reply.text]).toEqual(['unanswered', '']);
      expect(await inbox(peer)).toEqual([]);
    });

    verifies('agent.message-failure', 'message failure', async () => {
      const { platform, member, handled, until, log } = await startTestAgent(environment, {
        delivery,
        onMessage: refuse,
      });
      const peer = await onboard(platform);
      const held = trackCall(send(peer.caller, member.id, 'hello', { hold: 60, messageId: 'held' }));
      await until(() => held.isComplete);
      const response = await held.response;
      expect(response.status).toBe(200);
      expect(response.body).toMatchObject({
        result: {
          kind: 'task',
          status: { state: 'failed' },
          metadata: { state: 'failed', code: 'no_such_invoice' },
        },
      });
      const reply = await environment.client(platform, peer).waitForAnswer('held');
      expect([reply.status, reply.code, reply.text]).toEqual([
        'failed',
        'no_such_invoice',
        'There is no such invoice.',
      ]);
      expect(handled).toEqual(['hello']);
      expect(JSON.stringify(response.body)).not.toContain('vault');
      expect(JSON.stringify(log.lines)).toContain('row 7 of the vault');
    });

    verifies('ends.reach-the-sender', 'failed in the feed', async () => {
      const { platform, member, until } = await startTestAgent(environment, { delivery, onMessage: refuse });
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'hello', { messageId: 'absent' });
      await until(async () => (await inbox(peer)).length === 1);
      const [row] = await inbox(peer);
      expect(row).toMatchObject({ in_reply_to: 'absent' });
      expect(JSON.stringify(row)).toContain('no_such_invoice');
      expect(JSON.stringify(row)).not.toContain('vault');
    });

    verifies('agent.message-failure', 'given up is failed', async () => {
      const { platform, member, agent, until } = await startTestAgent(environment, {
        delivery,
        onMessage: () => {
          throw new TypeError('row 7 of the vault');
        },
      });
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'hello', { messageId: 'm' });
      await until(async () => (await stateOf(peer, 'm')) === 'failed', 5 * MINUTE);
      const reply = await environment.client(platform, peer).waitForAnswer('m');
      expect([reply.status, reply.code, reply.text]).toEqual(['failed', 'handler_failed', GAVE_UP]);
      await until(async () => (await inbox(peer)).length === 1);
      expect(JSON.stringify([await recordOf(peer, 'm'), await inbox(peer)])).not.toContain('vault');
      expect(agent.health()).toMatchObject({
        deadLetters: 1,
        lastFailure: { code: 'handler_failed', at: expect.any(String) },
      });
    });

    verifies('agent.one-end-after-a-restart', 'end survives a crash', async () => {
      const first = await startTestAgent(environment, { delivery, onMessage: refuse });
      const { platform, member, clock, stateDirectory, until } = first;
      const client = environment.client(platform, member, { connection: { clock } });
      // Nothing that it acknowledges reaches the platform any more.
      clientPort(first.client).acknowledge = () => new Promise(() => {});
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'hello', { messageId: 'm' });
      await until(() => first.handled.length === 1);
      await stopOnClock(clock, first.agent);
      expect(await stateOf(peer, 'm')).toBe('queued');
      const second = createTestAgent(environment, platform, member, {
        delivery,
        client: { storage: { directory: stateDirectory } },
      });
      await second.agent.start();
      await until(async () => (await stateOf(peer, 'm')) === 'failed');
      await second.untilAllAcknowledged();
      expect(second.handled).toEqual([]);
      expect((await client.fetchInbound({ unacknowledged: true })).length).toBe(0);
    });

    verifies('agent.one-end-after-a-restart', 'goes on after a reply', async () => {
      const first = await startTestAgent(environment, {
        delivery,
        onMessage: async (_message, { reply, signal }) => {
          await reply('first part');
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
          signal.throwIfAborted();
        },
      });
      const { platform, member, clock, stateDirectory, until } = first;
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'hello', { messageId: 'm' });
      await until(async () => (await stateOf(peer, 'm')) === 'answered');
      await stopOnClock(clock, first.agent);
      const replies: number[] = [];
      const second = createTestAgent(environment, platform, member, {
        delivery,
        client: { storage: { directory: stateDirectory } },
        onMessage: async (_message, { reply }) => {
          await reply('first part');
          await reply('second part');
          replies.push(2);
        },
      });
      await second.agent.start();
      await second.untilAllAcknowledged();
      expect(replies).toEqual([2]);
      expect((await inboxTexts(peer)).join().split('first part')).toHaveLength(2);
    });

    verifies('agent.lost-state', async () => {
      const isSlow = Promise.withResolvers<void>();
      const first = await startTestAgent(environment, {
        delivery,
        onMessage: ({ text }) => (text === 'slow' ? isSlow.promise : `echo: ${text}`),
      });
      const { platform, member, clock, until } = first;
      const peer = await onboard(platform);
      // What comes after it is answered, and not acknowledged before it.
      await send(peer.caller, member.id, 'slow', { messageId: 'slow' });
      await send(peer.caller, member.id, 'quick', { messageId: 'quick', contextId: 'another' });
      await until(async () => (await stateOf(peer, 'quick')) === 'answered');
      const stopped = stopOnClock(clock, first.agent);
      isSlow.reject(new Error('stopped'));
      await stopped;
      const second = createTestAgent(environment, platform, member, { delivery });
      await second.agent.start();
      await second.untilAllAcknowledged();
      expect(second.handled).toEqual(['slow']);
      expect(await stateOf(peer, 'slow')).toBe('answered');
    });

    verifies('ends.accepted-stays-open', 'accepted at most once', async () => {
      const end = Promise.withResolvers<void>();
      const { platform, member, until, pending } = await startTestAgent(environment, {
        delivery,
        atMostOnce: true,
        onMessage: () => end.promise,
      });
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'hello', { messageId: 'm' });
      await until(async () => (await pending()) === 0);
      expect(await stateOf(peer, 'm')).toBe('delivered');
      end.resolve();
      await until(async () => (await stateOf(peer, 'm')) === 'unanswered');
    });

    verifies('agent.answer-shapes', async () => {
      const data = { kind: 'data', data: { total: 7 } } as const;
      const { platform, member, untilAllAcknowledged } = await startTestAgent(environment, {
        delivery,
        onMessage: ({ text }) => {
          if (text === 'text') return 'a text';
          if (text === 'parts') return { text: 'with data', parts: [data], metadata: { note: 'n' } };
          return (async function* () {
            yield 'in ';
            yield 'deltas';
          })();
        },
      });
      const peer = await onboard(platform);
      for (const text of ['text', 'parts', 'deltas']) {
        await send(peer.caller, member.id, text, { messageId: text });
      }
      await untilAllAcknowledged();
      const sender = environment.client(platform, peer);
      const replies = await Promise.all(['text', 'parts', 'deltas'].map((id) => sender.waitForAnswer(id)));
      expect(replies.map(({ status, text }) => [status, text])).toEqual([
        ['answered', 'a text'],
        ['answered', 'with data'],
        ['answered', 'in deltas'],
      ]);
      expect(replies[1]?.parts).toContainEqual(expect.objectContaining(data));
      await send(platform.operator, member.id, 'parts', { messageId: 'person' });
      await untilAllAcknowledged();
      const history = await platform.operator.get(`/workspaces/${member.id}/activity?direction=out`);
      expect(history.body).toMatchObject([{ method: 'notify', data: { text: 'with data' } }]);
    });

    verifies('agent.invalid-answer', 'invalid answer', async () => {
      const { platform, member, handled, log, until } = await startTestAgent(environment, {
        delivery,
        onMessage: (() => ({ answer: 'secret' })) as never,
      });
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'hello', { messageId: 'm' });
      await until(async () => (await stateOf(peer, 'm')) === 'failed');
      const reply = await environment.client(platform, peer).waitForAnswer('m');
      expect([reply.status, reply.code, reply.text]).toEqual(['failed', 'invalid_answer', GAVE_UP]);
      expect(handled).toEqual(['hello']);
      const line = JSON.stringify(log.lines.filter(({ level }) => level === 'error'));
      expect(line).toContain('returned an object whose text is undefined');
      expect(line).not.toContain('secret');
    });

    verifies('agent.one-end-after-a-restart', 'no half answer', async () => {
      const first = await startTestAgent(environment, {
        delivery,
        onMessage: async function* (_message: unknown, { signal }: { readonly signal: AbortSignal }) {
          yield 'half of the tex';
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
          yield '!';
        },
      });
      const { platform, member, clock, stateDirectory, until } = first;
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'hello', { messageId: 'm' });
      await until(() => first.handled.length === 1);
      await stopOnClock(clock, first.agent);
      expect(await inbox(peer)).toEqual([]);
      const second = createTestAgent(environment, platform, member, {
        delivery,
        client: { storage: { directory: stateDirectory } },
        onMessage: () => 'the whole text',
      });
      await second.agent.start();
      await second.untilAllAcknowledged();
      expect(await inboxTexts(peer)).toEqual([expect.stringContaining('the whole text')]);
    });

    verifies('ends.late-reply', 'answer to an ended message', async () => {
      const ends = new Map<string, () => void>();
      const { platform, member, clock, until, untilAllAcknowledged } = await startTestAgent(environment, {
        delivery,
        onMessage: ({ text }) => new Promise((resolve) => ends.set(text, () => resolve('too late'))),
      });
      const peer = await onboard(platform);
      const deadline = new Date(clock.now() + 30_000).toISOString();
      await send(peer.caller, member.id, 'expires', { messageId: 'expires', metadata: { deadline } });
      await send(peer.caller, member.id, 'canceled', { messageId: 'canceled', contextId: 'another' });
      await until(() => ends.size === 2);
      const row = (await inbox(member)).find((each) => each.message_id === 'canceled');
      const outcomes = [{ activity_id: textAt(row, 'id'), outcome: 'canceled' }];
      await member.caller.post(`/workspaces/${member.id}/activity/ack`, { outcomes });
      await until(async () => (await stateOf(peer, 'expires')) === 'expired');
      for (const end of ends.values()) end();
      await untilAllAcknowledged();
      expect(await stateOf(peer, 'expires')).toBe('expired');
      expect(await stateOf(peer, 'canceled')).toBe('canceled');
      expect(JSON.stringify(await inbox(peer))).not.toContain('too late');
    });

    verifies('agent.conversations-in-parallel', 'conversations in parallel', async () => {
      const names = Array.from({ length: 20 }, (_, index) => `call ${index}`);
      const all = Promise.withResolvers<void>();
      const { platform, member, handled, until } = await startTestAgent(environment, {
        delivery,
        concurrency: 20,
        onMessage: async ({ text }) => {
          await all.promise;
          return `re: ${text}`;
        },
      });
      const peer = await onboard(platform);
      const sender = environment.client(platform, peer);
      const calls = names.map((name) => sender.callPeer(member.id, name, { timeoutMs: 60_000 }));
      await until(() => handled.length === names.length);
      all.resolve();
      let replies: readonly string[] = [];
      void Promise.all(calls).then((done) => {
        replies = done.map((reply) => reply.text);
      });
      await until(() => replies.length > 0);
      expect(replies).toEqual(names.map((name) => `re: ${name}`));
    });

    verifies('agent.one-message-blocks-no-other', 'a message that waits for its next attempt', async () => {
      const { platform, member, handled, until } = await startTestAgent(environment, {
        delivery,
        onMessage: ({ text }) => {
          if (text === 'poison') throw new Error('cannot');
          return 'fine';
        },
      });
      for (const text of ['poison', 'one', 'two']) await send(platform.operator, member.id, text);
      await until(() => handled.includes('two'));
      expect(handled.filter((text) => text === 'poison').length).toBeLessThan(5);
      await until(() => handled.filter((text) => text === 'poison').length === 5, 5 * MINUTE);
    });

    verifies('agent.one-message-blocks-no-other', 'a handler that hangs', async () => {
      const { platform, member, agent, handled, clock, until } = await startTestAgent(environment, {
        delivery,
        onMessage: ({ text }) => (text === 'hang' ? new Promise<never>(() => {}) : 'fine'),
      });
      await send(platform.operator, member.id, 'hang');
      await until(() => handled.length === 1);
      await send(platform.operator, member.id, 'next');
      const startedAt = clock.now();
      await until(() => agent.health().degradedReasons.includes('handlers-blocked'), 2 * MINUTE);
      expect(clock.now() - startedAt).toBeLessThan(1.5 * MINUTE);
      await until(() => handled.includes('next'), 11 * MINUTE);
      expect(clock.now() - startedAt).toBeGreaterThan(9 * MINUTE);
    });

    verifies('agent.replay', async () => {
      let isBroken = true;
      const { platform, member, agent, until } = await startTestAgent(environment, {
        delivery,
        onMessage: () => {
          if (isBroken) throw new Error('cannot');
          return 'at last';
        },
      });
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'hello', { messageId: 'm' });
      await until(async () => (await stateOf(peer, 'm')) === 'failed', 5 * MINUTE);
      await until(async () => (await inbox(peer)).length === 1);
      const [letter] = await agent.listDeadLetters();
      expect(letter).toMatchObject({
        messageId: 'm',
        errorCode: 'handler_failed',
        message: { text: 'hello' },
      });
      isBroken = false;
      await agent.replayDeadLetter(letter?.activityId ?? '');
      await until(async () => (await inbox(peer)).length === 2);
      const late = (await inbox(peer)).at(-1);
      expect(late).toMatchObject({ in_reply_to: 'm' });
      expect(textAt(late, 'data', 'text')).toContain('at last');
      expect(await stateOf(peer, 'm')).toBe('failed');
      expect(await agent.listDeadLetters()).toEqual([]);
    });

    verifies('agent.names-failures', 'names failures', async () => {
      const { platform, member, agent, log, until } = await startTestAgent(environment, {
        delivery,
        onMessage: ({ text }) => {
          throw new TypeError(`cannot parse ${text}`);
        },
      });
      const peer = await onboard(platform);
      await send(peer.caller, member.id, 'my very private words', { messageId: 'm' });
      await until(() => agent.health().lastFailure !== null);
      const line = log.lines.find(({ level }) => level === 'warn');
      expect(line).toMatchObject({
        message: 'Handling a message failed; it is retried.',
        fields: {
          messageId: 'm',
          attempt: 1,
          nextAttemptInMs: 1_000,
          error: { name: 'TypeError', stack: expect.stringContaining('agent-ends.test.ts') },
        },
      });
      // The line follows when the dead letter is stored.
      await until(() => log.lines.at(-1)?.level === 'error', 5 * MINUTE);
      expect(agent.health().deadLetters).toBe(1);
      expect(JSON.stringify([log.lines, agent.health()])).not.toContain('private words');
    });
  });

  verifies('agent.names-failures', 'names rejections', async () => {
    const { platform, member, log, until } = await startTestAgent(environment, {
      delivery: 'long-poll',
      onMessage: () => {
        throw new MessageFailure('The user does not want it.', { code: 'rejected' });
      },
    });
    const peer = await onboard(platform);
    await send(peer.caller, member.id, 'Deploy', { messageId: 'm' });
    await until(async () => (await stateOf(peer, 'm')) === 'failed');
    const lines = log.lines.filter(({ fields }) => fields.messageId === 'm' && fields.code === 'rejected');
    expect(lines).toMatchObject([{ level: 'info' }]);
    expect(lines[0]?.fields).not.toHaveProperty('error');
    expect(log.lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
  });

  verifies('ends.list', 'learns missed ends', async () => {
    const { platform, member, until, clock } = await startTestAgent(environment, {
      delivery: 'long-poll',
      onMessage: ({ text }) => {
        if (text === 'refused') refuse();
        return text === 'answered' ? 'yes' : undefined;
      },
    });
    const peer = await onboard(platform);
    const before = new Date(clock.now()).toISOString();
    for (const text of ['answered', 'refused', 'silent']) {
      await send(peer.caller, member.id, text, { messageId: text });
    }
    // A process of the sender that was started after the messages were sent.
    const sender = environment.client(platform, peer);
    await until(async () => (await sender.listMessages({ state: 'ended' })).messages.length === 3);
    const { messages } = await sender.listMessages({ state: 'ended', since: before });
    const states = messages.map(({ messageId, state, code }) => [messageId, state, code]);
    expect(states.sort()).toEqual([
      ['answered', 'answered', null],
      ['refused', 'failed', 'no_such_invoice'],
      ['silent', 'unanswered', null],
    ]);
    expect((await sender.getMessage('answered')).text).toBe('yes');
    expect(await sender.listMessages({ state: ['queued', 'delivered'] })).toEqual({
      messages: [],
      hasMore: false,
    });
    expect((await sender.listMessages({ state: 'failed', limit: 1 })).messages).toHaveLength(1);
  });

  verifies('conversation.id-on-rows', 'reads one conversation', async () => {
    const conversations: string[] = [];
    const { platform, member, untilAllAcknowledged } = await startTestAgent(environment, {
      delivery: 'long-poll',
      onMessage: ({ conversationId }) => {
        conversations.push(conversationId);
      },
    });
    const peer = await onboard(platform);
    for (const contextId of ['one', 'two', 'one']) {
      await send(peer.caller, member.id, `in ${contextId}`, { contextId });
    }
    await untilAllAcknowledged();
    const client = environment.client(platform, member);
    const [one = '', two = ''] = [...new Set(conversations)];
    const read = async (conversationId: string) =>
      (await client.listActivity({ conversationId })).rows.map(({ text }) => text).sort();
    expect(await read(one)).toEqual(['in one', 'in one']);
    expect(await read(two)).toEqual(['in two']);
  });
});
