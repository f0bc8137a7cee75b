import assert from 'node:assert/strict';
import { createRemoteAgent } from '@molecule-ai/core';
import type { Stage } from './stage.ts';
import { skipWhatIsThere } from './take-over.ts';

/** An agent takes over where another one has read and acknowledged nothing. */
export async function checkTakeOver({ operator, member, onEnd }: Stage): Promise<void> {
  const { id, client } = await member('taken-over');
  const old = await operator.sendMessage(id, 'handled long ago', { timeoutMs: 2_000 });
  assert.equal(old.status, 'queued');
  await skipWhatIsThere(client);
  const handled: string[] = [];
  const agent = createRemoteAgent({ client, onMessage: ({ text }) => `${handled.push(text)}` });
  onEnd(() => agent.stop());
  await agent.start();
  assert.equal((await operator.sendMessage(id, 'new')).text, '1');
  assert.deepEqual(handled, ['new']);
  console.log('✓ from the Python SDK: what was there before is not handled again');
}
