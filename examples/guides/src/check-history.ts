import assert from 'node:assert/strict';
import { answerWithHistory } from './history.ts';
import type { Stage } from './stage.ts';

/** What a model gets of an earlier message of a peer, and of its own answer. */
export async function checkHistory({ member, agent }: Stage): Promise<void> {
  const prompts: string[][] = [];
  const model = answerWithHistory(async (turns) => {
    prompts.push(turns.map(({ role, content }) => `${role}: ${content}`));
    return `answer ${prompts.length}`;
  });
  const clerk = await agent('clerk', model);
  const { client } = await member('asker');
  await client.register();
  const { contextId } = await client.callPeer(clerk.id, 'Which release is out?');
  await client.callPeer(clerk.id, 'And who made it?', { contextId });
  const [first = [], second = []] = prompts;
  assert.equal(first.length, 1);
  assert.equal(second.length, 3);
  assert.match(second[0] ?? '', /^user: <peer-text-[0-9a-f]{32} .*\nWhich release is out\?\n/);
  assert.equal(second[1], 'assistant: answer 1');
  assert.match(second[2] ?? '', /And who made it\?/);
  console.log('✓ history: a model gets what was said before, with the words of peers in a fence');
}
