import assert from 'node:assert/strict';
import { createAiSdkHandler } from '@molecule-ai/ai-sdk';
import { createRemoteAgent } from '@molecule-ai/core';
import { ScriptedLanguageModel } from '@molecule-tests/harness/ai-sdk';
import { join } from './ai-sdk-agent.ts';
import { storeIn } from './ai-sdk-store.ts';
import type { Stage } from './stage.ts';

/** An agent of the AI SDK answers messages and asks a peer; another one keeps its conversations in a table. */
export async function checkAiSdkAgent({ member, agent, operator, onEnd }: Stage): Promise<void> {
  const lab = await agent('lab-of-agent', () => '990 of 1000 pass.');
  const asking = new ScriptedLanguageModel((messages) =>
    messages.at(-1)?.role === 'tool'
      ? 'The lab says that we can.'
      : { name: 'call_peer', args: { peer_id: lab.id, text: 'Can we ship?' } },
  );
  const joining = await member('ai-sdk-planner');
  const running = await join(joining.client, asking);
  onEnd(() => running.stop());
  const reply = await operator.sendMessage(joining.id, 'Can we ship?');
  assert.equal(reply.text, 'The lab says that we can.');
  assert.match(asking.read, /answered:\n<peer-text-[0-9a-f]{32} /);

  const rows = new Map<string, string>();
  const store = storeIn({
    get: async (id) => rows.get(id),
    put: async (id, messages) => void rows.set(id, messages),
    delete: async (id) => void rows.delete(id),
  });
  const counting = new ScriptedLanguageModel((messages) => `Message ${messages.length}.`);
  const keeping = await member('ai-sdk-keeping');
  const onMessage = createAiSdkHandler({ model: counting }, { store });
  const kept = createRemoteAgent({ client: keeping.client, onMessage });
  onEnd(() => kept.stop());
  await kept.start();
  const first = await operator.sendMessage(keeping.id, 'One');
  const second = await operator.sendMessage(keeping.id, 'Two');
  assert.deepEqual([first.text, second.text], ['Message 2.', 'Message 4.']); // with the system prompt
  assert.equal(rows.size, 1);
  console.log(
    '✓ AI SDK: an agent answers messages and asks a peer, and its conversations are kept in a table',
  );
}
