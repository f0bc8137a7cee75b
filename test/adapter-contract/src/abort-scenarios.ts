import { clientPort } from '@molecule-ai/core/adapter-kit';
import { expect } from 'vitest';
import type { Scenario } from './scenario.ts';
import { calling, saying } from './scripted-model.ts';
import type { Stage } from './stage.ts';

/** How calls and runs end that nobody waits for any more. */
export const ABORT_SCENARIOS: readonly Scenario[] = [
  {
    id: 'abort',
    about: 'an abort in the middle of a stream reaches the peer, and rejects with its reason',
    run: async (stage) => {
      const { client, driver, peer } = stage;
      const ended = peerThatStreams(stage);
      const abort = new AbortController();
      const seen: string[] = [];
      const run = driver.runTool({
        client,
        name: 'call_peer',
        args: { peer_id: peer.id, text: 'count' },
        signal: abort.signal,
        onProgress: (text) => seen.push(text),
      });
      const reason = run.catch((error: unknown) => error);
      await stage.platform.clock.advanceUntil(() => seen.length > 0, { stepMs: 100 });
      abort.abort(new Error('The user left.'));
      expect(String(await stage.settle(reason))).toMatch(/The user left|abort/i);
      await stage.settle(ended);
    },
  },
  {
    id: 'provider-abort',
    about: 'an abort of a chain reaches the peer that is a step of it',
    run: async (stage) => {
      const { client, driver, model, peer } = stage;
      const ended = peerThatStreams(stage);
      const abort = new AbortController();
      model.script(saying('Done.'));
      const run = { client, peerId: peer.id, text: 'count', isStreamed: true, model, signal: abort.signal };
      const reason = Promise.resolve(driver.askProvider?.(run)).catch((error: unknown) => error);
      await stage.platform.clock.advanceUntil(() => peer.received.length === 1, { stepMs: 100 });
      await stage.platform.clock.advance(1_000);
      abort.abort(new Error('The user left.'));
      expect(String(await stage.settle(reason))).toMatch(/The user left|abort/i);
      await stage.settle(ended);
      expect(model.prompts).toEqual([]);
    },
  },
  {
    id: 'cancelled-message',
    about: 'when the message that is handled is cancelled, the run ends and so does the call to the peer',
    run: async (stage) => {
      const { client, model, operator, peer } = stage;
      const ended = peerThatStreams(stage);
      model.script(calling('call_peer', { peer_id: peer.id, text: 'count' }), saying('Done.'));
      const messageId = crypto.randomUUID();
      const reply = operator.sendMessage(client.workspaceId, 'Ask.', { messageId });
      await stage.platform.clock.advanceUntil(() => peer.received.length === 1, { stepMs: 100 });
      await stage.settle(operator.cancelMessage(client.workspaceId, messageId));
      expect(await stage.settle(reply)).toMatchObject({ status: 'canceled' });
      await stage.settle(ended);
      expect(model.prompts).toHaveLength(1);
    },
  },
  {
    id: 'two-aborts',
    about: 'what is aborted twice, or aborted and cancelled, ends once, and is canceled for the peer',
    run: async (stage) => {
      const { client, driver, model, operator, peer, platform, settle } = stage;
      const ended = peerThatStreams(stage);
      const [abort, other] = [new AbortController(), new AbortController()];
      const signal = AbortSignal.any([abort.signal, other.signal]);
      const args = { peer_id: peer.id, text: 'count' };
      const run = driver.runTool({ client, name: 'call_peer', args, signal, onProgress: () => {} });
      const reason = run.catch((error: unknown) => error);
      await platform.clock.advanceUntil(() => peer.received.length === 1, { stepMs: 100 });
      abort.abort(new Error('The user left.'));
      other.abort(new Error('The page was closed.'));
      abort.abort(new Error('The user left again.'));
      expect(String(await settle(reason))).toMatch(/The user left\.|abort/i);
      await settle(ended);

      const endedAgain = peerThatStreams(stage);
      model.script(calling('call_peer', args), saying('Done.'));
      const messageId = crypto.randomUUID();
      const reply = operator.sendMessage(client.workspaceId, 'Ask.', { messageId });
      await platform.clock.advanceUntil(() => peer.received.length === 2, { stepMs: 100 });
      const cancel = () => settle(operator.cancelMessage(client.workspaceId, messageId).catch(() => {}));
      await Promise.all([cancel(), cancel()]);
      expect(await settle(reply)).toMatchObject({ status: 'canceled' });
      await settle(endedAgain);
      await stage.kill();
      expect(model.prompts).toHaveLength(1);
      expect(peer.received).toHaveLength(2);
    },
  },
];

/** Streams without an end. Resolves when the signal of its handler has aborted. */
function peerThatStreams({ peer }: Stage): Promise<void> {
  const ended = Promise.withResolvers<void>();
  peer.script(async function* (_message, { client, signal }) {
    signal.addEventListener('abort', () => ended.resolve());
    for (;;) {
      yield 'more ';
      await clientPort(client).clock.sleep(300, { signal });
    }
  });
  return ended.promise;
}
