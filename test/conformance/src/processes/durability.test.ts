import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createRemoteAgent } from '@molecule-ai/core';
import { answering } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { textAt, valueAt } from '../harness/http.ts';
import { inbox, inboxTexts, type Member, onboard, send, waitForRow } from '../harness/members.ts';
import { onEachDatabase } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

onEachDatabase('a platform that is killed', { onDisk: true }, (environment) => {
  verifies('durability.kill-loses-nothing', 'accepted survives a kill', async () => {
    const platform = await environment.platformProcess();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const texts = Array.from({ length: 20 }, (_, index) => `${index}`);
    for (const text of texts) {
      const answer = await send(caller.caller, target.id, text, { messageId: `m-${text}` });
      expect(answer.status).toBe(202);
    }
    await platform.crash();
    expect(await inboxTexts(target)).toEqual(texts);
    const again = await send(caller.caller, target.id, '19', { messageId: 'm-19' });
    expect(valueAt(again.body, 'activity_id')).toBe(valueAt((await inbox(target)).at(-1), 'id'));
    expect(await inboxTexts(target)).toEqual(texts);
  });

  verifies('durability.kill-loses-nothing', 'answers survive a kill', async () => {
    const platform = await environment.platformProcess();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const asked = send(caller.caller, target.id, 'think', { messageId: 'm-1', hold: 60 });
    const [row] = await waitForQuestion(target);
    const accepted = await send(target.caller, caller.id, 'thought', {
      role: 'agent',
      messageId: 'r-1',
      metadata: { in_reply_to: textAt(row, 'message_id') },
    });
    expect(accepted.status).toBe(200);
    await platform.crash();
    await asked;
    const record = await caller.caller.get(`/workspaces/${caller.id}/messages/m-1`);
    expect(record.body).toMatchObject({ state: 'answered' });
    expect(record.text).toContain('thought');
  });

  verifies('durability.kill-loses-nothing', 'pushes survive a kill', async () => {
    const platform = await environment.platformProcess();
    const agent = await environment.scriptedAgent({ script: () => ({ kind: 'never' }) });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const asked = send(caller.caller, target.id, 'work', { messageId: 'm-1', hold: 60 });
    await agent.received(1);
    agent.react(answering('done at last'));
    await platform.crash();
    await asked;
    const record = await caller.caller.get(`/workspaces/${caller.id}/messages/m-1?wait=15`);
    expect(record.body).toMatchObject({ state: 'answered' });
    expect(record.text).toContain('done at last');
  });

  verifies('durability.killed-at-each-point', 'answers are not repeated', async () => {
    const platform = await environment.platformProcess();
    const peer = await environment.scriptedAgent({ script: answering('the answer') });
    const [member, target] = [await onboard(platform), await onboard(platform, { url: peer.url })];
    const client = environment.client(platform, member);
    const handled: string[] = [];
    const onMessage = ({ text }: { readonly text: string }) => void handled.push(text);
    const agent = createRemoteAgent({ client, onMessage, presence: { reconnectSpreadMs: 1_000 } });
    environment.onCleanup(() => agent.stop());
    await agent.start();
    const reply = await client.callPeer(target.id, 'a question');
    expect(reply).toMatchObject({ status: 'answered', text: 'the answer' });
    await platform.crash();
    // The platform cannot know that the caller has the answer, so it delivers it again.
    const [row] = await waitForRow(member);
    expect(row).toMatchObject({ in_reply_to: reply.messageId });
    await send(platform.operator, member.id, 'something new');
    await expect.poll(() => handled, { timeout: 30_000 }).toContain('something new');
    expect(handled).toEqual(['something new']);
  });

  verifies('durability.stop-is-clean', async () => {
    const platform = await environment.platformProcess();
    const member = await onboard(platform);
    const reading = member.caller.get(`/workspaces/${member.id}/activity?wait=60`);
    await member.caller.get('/health');
    expect(await platform.stopProcess()).toBe(0);
    expect([200, 503, 0]).toContain((await reading).status);
  });

  verifies('durability.data-is-private', async () => {
    const platform = await environment.platformProcess();
    await onboard(platform);
    const folder = platform.dataDir ?? '';
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const files = readdirSync(folder, { recursive: true, withFileTypes: true });
    expect(files.length).toBeGreaterThan(0);
    for (const file of files) {
      const mode = statSync(join(file.parentPath, file.name)).mode & 0o777;
      expect(mode, file.name).toBe(file.isDirectory() ? 0o700 : 0o600);
    }
  });
});

async function waitForQuestion(member: Member): Promise<Record<string, unknown>[]> {
  const answer = await member.caller.get(`/workspaces/${member.id}/activity?type=a2a_receive&wait=30`);
  return answer.body as Record<string, unknown>[];
}
