import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createAiSdkHandler } from '@molecule-ai/ai-sdk';
import { createRemoteAgent } from '@molecule-ai/core';
import { ScriptedLanguageModel } from '@molecule-tests/harness/ai-sdk';
import { join as joinAgent } from './ai-sdk-agent.ts';
import { sqliteStore } from './ai-sdk-store.ts';
import type { Stage } from './stage.ts';

/** An agent of the AI SDK answers messages and asks a peer; another one keeps its conversations in a database. */
export async function checkAiSdkAgent({ member, agent, operator, folder, onEnd }: Stage): Promise<void> {
  const lab = await agent('lab-of-agent', () => '990 of 1000 pass.');
  const asking = new ScriptedLanguageModel((messages) =>
    messages.at(-1)?.role === 'tool'
      ? 'The lab says that we can.'
      : { name: 'call_peer', args: { peer_id: lab.id, text: 'Can we ship?' } },
  );
  const joining = await member('ai-sdk-planner');
  const running = await joinAgent(joining.client, asking);
  onEnd(() => running.stop());
  const reply = await operator.sendMessage(joining.id, 'Can we ship?');
  assert.equal(reply.text, 'The lab says that we can.');
  assert.match(asking.read, /answered:\n<peer-text-[0-9a-f]{32} /);

  const path = join(folder, 'conversations.db');
  const counting = new ScriptedLanguageModel((messages) => `Message ${messages.length}.`);
  const keeping = await member('ai-sdk-keeping');
  const onMessage = createAiSdkHandler({ model: counting }, { store: sqliteStore(path) });
  const kept = createRemoteAgent({ client: keeping.client, onMessage });
  onEnd(() => kept.stop());
  await kept.start();
  const first = await operator.sendMessage(keeping.id, 'One');
  const second = await operator.sendMessage(keeping.id, 'Two');
  assert.deepEqual([first.text, second.text], ['Message 2.', 'Message 4.']); // with the system prompt
  const rows = new DatabaseSync(path).prepare('select id from conversations').all();
  assert.equal(rows.length, 1);
  console.log(
    '✓ AI SDK: an agent answers messages and asks a peer, and its conversations are kept in a database',
  );
}
