import assert from 'node:assert/strict';
import { peerTextInstructions, wrapA2aBoundary } from '@molecule-ai/core';
import { type ModelScript, PromptReader } from '@molecule-tests/harness';
import { ScriptedLanguageModel } from '@molecule-tests/harness/ai-sdk';
import { plan, planCarefully } from './ai-sdk-tools.ts';
import type { Stage } from './stage.ts';

/** An agent that asks a peer by a tool, and one whose user approves that. */
export async function checkAiSdkTools({ member, agent }: Stage): Promise<void> {
  const lab = await agent('tested-lab', () => '990 of 1000 pass.');
  const { client } = await member('ai-planner');
  await client.register();
  const script: ModelScript = (messages) => {
    const answer = new PromptReader(messages).resultOf('call_peer');
    if (answer !== undefined) return `The lab says ${wrapA2aBoundary('yes')}: ${answer}`;
    return { name: 'call_peer', args: { peer_id: lab.id, text: 'Can we ship?' } };
  };
  const model = new ScriptedLanguageModel(script);
  const text = await plan(client, model, 'Ask the lab.');
  assert.match(text, /^The lab says yes: The peer .* answered:\n<peer-text-[0-9a-f]{32} /);
  assert.ok(text.includes('990 of 1000 pass.'));
  assert.equal(model.read.split(peerTextInstructions).length - 1, model.prompts.length);

  const waiting = await planCarefully(client, new ScriptedLanguageModel(script), 'Ask the lab.');
  assert.deepEqual(waiting, [`call_peer {"peer_id":"${lab.id}","text":"Can we ship?"}`]);
  console.log(
    '✓ AI SDK: an agent asks a peer by a tool, its answer has no markers, and a person approves what is sent',
  );
}
