import assert from 'node:assert/strict';
import { askAndAnswer, askTwice } from './ai-sdk-peer.ts';
import type { Stage } from './stage.ts';

/** A peer is a model of the AI SDK: it is asked, continues, and asks back. */
export async function checkAiSdkPeer({ member, agent }: Stage): Promise<void> {
  const asked: string[] = [];
  const lab = await agent('lab-model', ({ text, contextId }) => {
    asked.push(contextId);
    return `${text} Yes.`;
  });
  const painter = await agent(
    'painter',
    () => ({ questions: [{ kind: 'text', text: 'Which colour?', from: 'sender' }] }),
    (answer) => (answer.kind === 'question' ? `Painted ${answer.questions[0]?.answer}.` : null),
  );
  const { client } = await member('model-user');
  await client.register();
  assert.deepEqual(await askTwice(client, lab.id), ['Can we ship? Yes.', 'And on Friday? Yes.']);
  assert.equal(new Set(asked).size, 1);
  assert.equal(await askAndAnswer(client, painter.id, 'blue'), 'Painted blue.');
  console.log('✓ AI SDK: a peer is a model whose conversation goes on, and its question is answered');
}
