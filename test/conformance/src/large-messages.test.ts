import { randomUUID } from 'node:crypto';
import type { AnswerHandler } from '@molecule-ai/core';
import { expect } from 'vitest';
import { textAt } from './harness/http.ts';
import { type Member, onboard, send } from './harness/members.ts';
import { type Handler, startTestAgent } from './harness/test-agent.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

onEachDatabase('an agent with large messages', (environment) => {
  const start = (onMessage: Handler, maxResponseBytes?: number, onAnswer?: AnswerHandler) =>
    startTestAgent(environment, {
      delivery: 'long-poll',
      platform: { server: { contractCheck: 'responses' } },
      onMessage,
      onAnswer,
      client: { limits: { maxResponseBytes } },
    });

  verifies('agent.large.whole', 'large: backlog', async () => {
    const lengths: number[] = [];
    const { agent, platform, member, until } = await start(({ text }) => void lengths.push(text.length));
    for (let index = 0; index < 20; index += 1) {
      await send(platform.operator, member.id, 'y'.repeat(900_000));
    }
    await until(() => lengths.length === 20);
    expect(new Set(lengths)).toEqual(new Set([900_000]));
    expect(agent.health()).toMatchObject({ ok: true, deadLetters: 0 });
  });

  verifies('agent.large.whole', 'large: answer is whole', async () => {
    const texts: string[] = [];
    const { platform, member, until } = await start(
      () => null,
      undefined,
      ({ message }) => void texts.push(message.text),
    );
    const peer = await onboard(platform);
    await send(member.caller, peer.id, 'report all', { messageId: 'm-1' });
    const said = `${'a'.repeat(600_000)} end`;
    await send(peer.caller, member.id, said, {
      role: 'agent',
      messageId: randomUUID(),
      metadata: { in_reply_to: 'm-1' },
    });
    await until(() => texts.length === 1);
    expect(texts[0]?.includes(said)).toBe(true);
  });

  verifies('agent.large.set-aside', async () => {
    const handled: string[] = [];
    const { agent, platform, member, until, log } = await start(
      ({ text }) => void handled.push(text),
      100_000,
    );
    const degraded: string[] = [];
    agent.on('degraded', (reason) => void degraded.push(reason));
    const peer = await onboard(platform);
    const stateOf = async (of: Member, id: string) =>
      textAt((await of.caller.get(`/workspaces/${of.id}/messages/${id}`)).body, 'state');
    await send(peer.caller, member.id, 'before', { messageId: 'before' });
    await send(peer.caller, member.id, 'x'.repeat(200_000), { messageId: 'large' });
    await send(peer.caller, member.id, 'after', { messageId: 'after' });
    await until(() => handled.length === 2);
    expect(handled).toEqual(['before', 'after']);
    await until(async () => (await stateOf(peer, 'large')) === 'failed');
    await until(async () => (await stateOf(peer, 'after')) === 'unanswered');
    expect(degraded).toEqual(['feed-too-large']);
    const [letter] = await agent.listDeadLetters();
    expect(letter).toMatchObject({ messageId: 'large', errorCode: 'response_too_large', message: null });
    expect(agent.health()).toMatchObject({ ok: true, deadLetters: 1 });
    expect(JSON.stringify(log.lines)).not.toContain('xxxxx');
  });
});
