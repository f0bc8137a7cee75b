import { expect } from 'vitest';
import type { Scenario } from './scenario.ts';
import { saying } from './scripted-model.ts';
import type { Stage } from './stage.ts';

const PRIVATE = 'key sk-1234 was refused at 10.0.0.7';

/** How calls and runs end. */
export const END_SCENARIOS: readonly Scenario[] = [
  {
    id: 'each-end',
    about: 'every end of a message is a result that says what to do next',
    stage: { timeoutMs: 10_000, platform: { limits: { messageTtlMs: 60_000 } } },
    run: async (stage) => {
      const { peer } = stage;
      peer.script('Yes.', null, { fail: 'No disk.', code: 'no_disk' }, { ask: 'Which?' });
      expect(await call(stage)).toMatchObject({ isError: false, data: { status: 'answered' } });
      expect(await call(stage)).toMatchObject({ isError: false, data: { status: 'unanswered' } });
      expect(await call(stage)).toMatchObject({ isError: true, data: { status: 'failed', code: 'no_disk' } });
      expect(await call(stage)).toMatchObject({ isError: false, data: { status: 'input-required' } });
      peer.script({ never: true });
      const canceled = call(stage);
      await stage.platform.clock.advanceUntil(() => peer.received.length === 5, { stepMs: 100 });
      await stage.settle(stage.client.cancelTask(peer.received[4]?.messageId ?? ''));
      expect(await canceled).toMatchObject({ isError: true, data: { status: 'canceled' } });
      const queued = await call(stage);
      expect(queued).toMatchObject({ isError: false, data: { status: 'queued', isHeld: false } });
      expect(await call(stage, { timeoutMs: 120_000 })).toMatchObject({
        isError: true,
        data: { status: 'expired' },
      });
      await stage.platform.pause(peer.id);
      expect(await call(stage)).toMatchObject({ isError: false, data: { status: 'queued', isHeld: true } });
    },
  },
  {
    id: 'long-wait',
    about: 'an answer after more than a minute is waited for',
    run: async (stage) => {
      stage.peer.script({ afterMs: 90_000, answer: 'At last.' });
      expect(await call(stage, { timeoutMs: 120_000 })).toMatchObject({
        data: { status: 'answered', text: 'At last.' },
      });
    },
  },
  {
    id: 'refused-removed-unknown',
    about: 'a peer that may not be asked, was removed or never existed is a result',
    run: async (stage) => {
      const { platform } = stage;
      const parent = await platform.createWorkspace('other team');
      const far = await platform.createWorkspace('far away', { parent_id: parent.workspaceId });
      expect(await call(stage, { peerId: far.workspaceId })).toMatchObject({
        isError: true,
        data: { status: 'error', code: 'access_denied' },
      });
      const gone = await platform.createWorkspace('gone');
      await platform.remove(gone.workspaceId);
      expect(await call(stage, { peerId: gone.workspaceId })).toMatchObject({
        isError: true,
        data: { status: 'error', code: 'workspace_removed' },
      });
      const unknown = await call(stage, { peerId: crypto.randomUUID() });
      expect(unknown).toMatchObject({ isError: true, data: { status: 'error' } });
      expect(unknown.text).toMatch(/list_peers|another peer/);
    },
  },
  {
    id: 'large-answers',
    about: 'an answer of 1 MB is cut for the model',
    run: async (stage) => {
      const { client, driver } = stage;
      const peerId = await stage.scriptPeerWithUrl(() => 'x'.repeat(1_000_000));
      const args = { peer_id: peerId, text: 'hello' };
      const cut = await stage.settle(driver.runTool({ client, name: 'call_peer', args }));
      expect(cut).toMatchObject({ isError: false, data: { status: 'answered' } });
      expect(cut.text.length).toBeLessThan(40_000);
      expect(cut.text).toContain('more characters are left out');
      expect(JSON.stringify(cut.data).length).toBeLessThan(40_000);
    },
  },
  {
    id: 'provider-queued',
    about:
      'an answer that is not there in time is a value for a chain, so a retry around it asks the peer once',
    run: async (stage) => {
      const { client, driver, model, peer, settle } = stage;
      peer.script({ never: true });
      for (const isStreamed of [false, true]) {
        model.script(saying('Later.'));
        const run = {
          client,
          peerId: peer.id,
          text: 'hello',
          isStreamed,
          isRetried: true,
          model,
          timeoutMs: 2_000,
        };
        await settle(Promise.resolve(driver.askProvider?.(run)));
        expect(model.prompts.at(-1)?.messages.at(-1)?.text).toContain('has not answered yet');
      }
      expect(peer.received).toHaveLength(2);
    },
  },
  {
    id: 'provider-queued-error',
    about: 'an answer that is not there in time is an error that is not repeated, and says that it may come',
    run: async (stage) => {
      const { client, driver, model, peer, settle } = stage;
      peer.script({ never: true });
      for (const isStreamed of [false, true]) {
        model.script(saying('Later.'));
        const text = `hello ${isStreamed}`;
        const run = { client, peerId: peer.id, text, isStreamed, isRetried: true, model, timeoutMs: 2_000 };
        const asked = Promise.resolve(driver.askProvider?.(run));
        await expect(settle(asked)).rejects.toThrow('has not answered yet');
        expect(model.prompts).toEqual([]);
      }
      expect(peer.received).toHaveLength(2);
    },
  },
  {
    id: 'thrown-error',
    about: 'a model that throws fails the message; its words stay with the agent, as the cause',
    run: async (stage) => {
      const { failures, model } = stage;
      model.script(() => ({ error: new Error(PRIVATE) }));
      const reply = await stage.ask('hello');
      expect(reply).toMatchObject({ status: 'failed' });
      expect(JSON.stringify(reply.raw)).not.toContain('sk-1234');
      expect(failures.flatMap(causesOf)).toContain(PRIVATE);
    },
  },
  {
    id: 'thrown-error-while-streaming',
    about: 'a model that throws in the middle of its words fails the message',
    run: async (stage) => {
      stage.model.script(() => ({ deltas: ['Good ', 'morn'], error: new Error(PRIVATE) }));
      const stream = stage.operator.streamMessage(stage.client.workspaceId, 'hello');
      const reply = await stage.settle(stream.reply());
      expect(reply.status).toBe('failed');
      expect(JSON.stringify(reply.raw)).not.toContain('sk-1234');
    },
  },
];

interface CallOptions {
  readonly peerId?: string;
  readonly timeoutMs?: number;
}

function call(
  stage: Stage,
  { peerId = stage.peer.id, timeoutMs = stage.setup.timeoutMs ?? 10_000 }: CallOptions = {},
) {
  const { client, driver } = stage;
  const args = { peer_id: peerId, text: 'hello' };
  return stage.settle(driver.runTool({ client, name: 'call_peer', args, timeoutMs }));
}

/** The messages of an error and of all of its causes. */
function causesOf(error: unknown): string[] {
  return error instanceof Error ? [error.message, ...causesOf(error.cause)] : [];
}
