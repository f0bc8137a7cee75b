import { join } from 'node:path';
import { createRemoteAgent, type InboundAnswer, type InboundMessage } from '@molecule-ai/core';
import { expect, vi } from 'vitest';
import { onboard } from '../harness/members.ts';
import { runBin } from '../harness/platform-bin.ts';
import { onEachDatabase } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

// Processes of a platform, and retries of agents while it is away.
vi.setConfig({ testTimeout: 120_000 });

// One database is enough: only files are copied.
onEachDatabase('a platform that is restored', { onDisk: true }, (environment) => {
  verifies('platform.restore-agents-continue', async () => {
    const platform = await environment.platformProcess();
    const dataDir = String(platform.dataDir);
    const [asking, answering] = [await onboard(platform), await onboard(platform)];
    const handled: string[] = [];
    const started = new Map<string, PromiseWithResolvers<void>>();
    const begun = (text: string) => {
      const promise = started.get(text) ?? Promise.withResolvers<void>();
      started.set(text, promise);
      return promise;
    };
    const aborted: string[] = [];
    const held = Promise.withResolvers<void>();
    const copied = Promise.withResolvers<void>();
    const onMessage = async ({ text }: InboundMessage, { signal }: { signal: AbortSignal }) => {
      handled.push(text);
      begun(text).resolve();
      if (text.startsWith('hold')) await held.promise;
      if (text === 'between') await copied.promise;
      if (text.startsWith('cancel')) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        aborted.push(text);
        signal.throwIfAborted();
      }
      return `echo: ${text}`;
    };
    const agent = createRemoteAgent({
      client: environment.client(platform, answering),
      onMessage,
      concurrency: 10,
    });
    environment.onCleanup(() => agent.stop());
    await agent.start();
    const replies: InboundMessage[] = [];
    const client = environment.client(platform, asking);
    const onAnswer = ({ message }: InboundAnswer) => void replies.push(message);
    const asker = createRemoteAgent({ client, onMessage: () => null, onAnswer });
    environment.onCleanup(() => asker.stop());
    await asker.start();
    const ask = (text: string, signal?: AbortSignal) =>
      client.callPeer(answering.id, text, { messageId: text, signal });
    // An agent that could not read for some seconds reads again within some more, which may be later than the call waits.
    const answerTo = async (text: string) => {
      const reply = await ask(text);
      return reply.status === 'answered' ? reply.text : (await client.waitForAnswer(text)).text;
    };
    const cancel = async (text: string) => {
      const canceling = new AbortController();
      const call = ask(text, canceling.signal);
      call.catch(() => {});
      await begun(text).promise;
      canceling.abort();
      await expect(call).rejects.toThrow();
      await vi.waitFor(() => expect(aborted).toContain(text), 20_000);
    };
    const backlog = async () =>
      (
        await answering.caller.get(
          `/workspaces/${answering.id}/activity?type=a2a_receive&unacknowledged=true`,
        )
      ).body;
    const acknowledged = () => vi.waitFor(async () => expect(await backlog()).toEqual([]), 20_000);

    expect((await ask('before')).text).toBe('echo: before');
    await acknowledged();
    const across = ask('hold across');
    across.catch(() => {});
    const between = ask('between');
    await Promise.all([begun('hold across').promise, begun('between').promise]);
    const file = join(environment.folder(), 'backup.db');
    const bin = async (...args: string[]) => {
      const result = await runBin(environment, [...args, '--data-dir', dataDir]);
      expect(result.code, result.err).toBe(0);
    };
    await bin('backup', file);

    // What follows is not in the backup.
    copied.resolve();
    expect((await between).text).toBe('echo: between');
    for (const text of ['lost 1', 'lost 2', 'lost 3']) expect((await ask(text)).text).toBe(`echo: ${text}`);
    await cancel('cancel, lost');
    const lost = ask('hold, lost');
    lost.catch(() => {});
    await begun('hold, lost').promise;
    await platform.restart(() => bin('restore', file, '--force'));

    held.resolve();
    for (const call of [lost, across]) expect((await call).status).toBe('queued');
    for (const text of ['after 1', 'after 2']) expect(await answerTo(text)).toBe(`echo: ${text}`);
    await cancel('cancel, after');
    await acknowledged();
    expect(handled).toEqual([...new Set(handled)]);
    expect(handled.filter((text) => text.includes('after'))).toEqual(['after 1', 'after 2', 'cancel, after']);
    // The answers of both come as messages, also of the one that the platform does not have any more.
    const late = ['hold across', 'hold, lost'];
    const heldAnswers = () => replies.map(({ inReplyTo }) => inReplyTo).filter((id) => id.startsWith('hold'));
    await vi.waitFor(() => expect(heldAnswers().sort()).toEqual(late), 20_000);

    // The same backup again: agents have seen the rows that the first restore led to.
    await platform.restart(() => bin('restore', file, '--force'));
    for (const text of ['again 1', 'again 2']) expect(await answerTo(text)).toBe(`echo: ${text}`);
    await cancel('cancel, again');
    await acknowledged();
    expect(handled.filter((text) => text.includes('again'))).toEqual(['again 1', 'again 2', 'cancel, again']);
    expect(handled).toEqual([...new Set(handled)]);
    const gone = await asking.caller.get(`/workspaces/${asking.id}/messages/${encodeURIComponent('lost 1')}`);
    expect(gone.status).toBe(404);
    expect([agent.health().ok, asker.health().ok]).toEqual([true, true]);
  });
});
