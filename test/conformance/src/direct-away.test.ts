import { RemoteAgentClient, silentLogger } from '@molecule-ai/core';
import { peerTools } from '@molecule-ai/core/adapter-kit';
import { scriptedPeer, temporaryState } from '@molecule-ai/core/testing';
import { createLangChainHandler, peersMiddleware } from '@molecule-ai/langchain';
import { createAgent } from 'langchain';
import { expect, onTestFinished } from 'vitest';
import { freePort } from './harness/killable-push-agent.ts';
import { ScriptedChatModel } from './harness/langchain-model.ts';
import { toolStage } from './harness/tool-stage.ts';
import { verifies } from './verifies.ts';

type Stage = Awaited<ReturnType<typeof toolStage>>;

/** The client of a new workspace. */
async function join({ platform }: Stage, url?: string): Promise<RemoteAgentClient> {
  const workspace = await platform.createWorkspace('away');
  const state = temporaryState();
  const options = { ...platform, ...state, ...workspace, logger: silentLogger };
  const client = new RemoteAgentClient({ ...options, ...(url === undefined ? {} : { reportedUrl: url }) });
  onTestFinished(async () => {
    await client.close();
    state.remove();
  });
  return client;
}

const AWAY: Readonly<Record<string, (stage: Stage) => Promise<string>>> = {
  'that never started': async ({ platform }) => (await platform.createWorkspace('new')).workspaceId,
  'that was stopped': async ({ platform }) => {
    const peer = await scriptedPeer(platform, { name: 'stopped' });
    await peer.stop();
    return peer.id;
  },
  'that was killed': async (stage) => {
    const client = await join(stage);
    await client.register();
    await stage.platform.clock.advance(600_000);
    return client.workspaceId;
  },
  'whose URL is gone': async (stage) => {
    const client = await join(stage, `http://127.0.0.1:${await freePort()}`);
    await client.register();
    await stage.platform.clock.advance(600_000);
    return client.workspaceId;
  },
};

/** A stage with direct calls, on which the agent has sent nothing yet. */
async function directStage() {
  const stage = await toolStage();
  expect([...stage.client.capabilities]).toContain('peer-tokens');
  const sent = async (peerId: string) => {
    const { rows } = await stage.operator.listActivity(peerId, { type: 'a2a_receive' });
    return rows.map(({ text }) => text).sort();
  };
  return { ...stage, sent };
}

for (const [which, makePeer] of Object.entries(AWAY)) {
  verifies('direct.falls-back', `callPeer, streamPeer and call_peer to a peer ${which}`, async () => {
    const stage = await directStage();
    const { client, settle, sent } = stage;
    const peerId = await makePeer(stage);
    for (const text of ['first', 'second']) {
      const reply = await settle(client.callPeer(peerId, text, { timeoutMs: 3_000 }));
      expect(reply).toMatchObject({ status: 'queued', peerId });
    }
    const streamed = await settle(client.streamPeer(peerId, 'third', { timeoutMs: 3_000 }).reply());
    expect(streamed).toMatchObject({ status: 'queued', text: '' });
    const [callPeer] = peerTools(client, { only: ['call_peer'] });
    for (const [text, onProgress] of [
      ['fourth', undefined],
      ['fifth', () => {}],
    ] as const) {
      const outcome = await settle(callPeer.execute({ peer_id: peerId, text }, { onProgress }));
      expect(outcome).toMatchObject({ isError: false, data: { status: 'queued' } });
    }
    expect(await sent(peerId)).toEqual(['fifth', 'first', 'fourth', 'second', 'third']);
  });

  verifies('direct.falls-back', `the first call of a LangChain agent to a peer ${which}`, async () => {
    const stage = await directStage();
    const { client, handle, sent } = stage;
    const peerId = await makePeer(stage);
    const ask = (text: string) => [{ name: 'call_peer', args: { peer_id: peerId, text } }];
    const model = new ScriptedChatModel([ask('first'), ask('second')]);
    const agent = createAgent({ model, middleware: [peersMiddleware(client)] });
    expect(await handle(createLangChainHandler(agent))).toMatchObject({ status: 'answered', text: 'done' });
    const results = model.prompts.at(-1)?.filter(({ type }) => type === 'tool') ?? [];
    expect(results).toHaveLength(2);
    for (const { text } of results) expect(text).toContain('has not answered yet');
    expect(await sent(peerId)).toEqual(['first', 'second']);
  });
}

verifies('direct.falls-back', 'also when the lookup takes longer than the tool waits', async () => {
  const stage = await directStage();
  const { platform, newClient, settle, sent } = stage;
  const { workspaceId: peerId } = await platform.createWorkspace('new');
  let held = 0;
  const client = newClient({
    connection: {
      clock: platform.clock,
      dispatcher: {
        dispatch(options, handler) {
          if (!options.path.startsWith('/registry/discover/'))
            return platform.connection.dispatcher.dispatch(options, handler);
          held += 1;
          platform.clock.setTimer(60_000, () => platform.connection.dispatcher.dispatch(options, handler));
          return true;
        },
      },
    },
  });
  await client.register();
  const [callPeer] = peerTools(client, { only: ['call_peer'] });
  const outcome = await settle(
    callPeer.execute({ peer_id: peerId, text: 'hello' }, { onProgress: () => {} }),
  );
  expect(held).toBe(1);
  expect(outcome).toMatchObject({ isError: false, data: { status: 'queued' } });
  expect(await sent(peerId)).toEqual(['hello']);
});
