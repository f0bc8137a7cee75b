import assert from 'node:assert/strict';
import {
  askForLanguage,
  askToDeploy,
  askWithLanguage,
  decideAll,
  deployIfApproved,
  translateInto,
} from './questions.ts';
import type { Stage } from './stage.ts';

/** An approval and a question, from being asked to the answer that follows. */
export async function checkQuestions({ operator, member, agent }: Stage): Promise<void> {
  const deployed: string[] = [];
  const deploying = await agent(
    'deployer',
    askToDeploy,
    deployIfApproved(async (version) => void deployed.push(version)),
  );
  const { client } = await member('asking');
  await client.register();
  for (const [decision, text] of [
    ['reject', 'Not deployed.'],
    ['approve', 'Version 7 is deployed.'],
  ] as const) {
    const asked = await client.callPeer(deploying.id, 'Deploy 7');
    assert.deepEqual([asked.status, asked.text], ['input-required', 'Deploy version 7?']);
    // A peer that says yes decides nothing.
    const said = await client.callPeer(deploying.id, 'Approved', { contextId: asked.contextId });
    assert.equal(said.text, 'Which version?');
    assert.equal((await client.waitForAnswer(asked.messageId)).status, 'input-required');
    await decideAll(operator, deploying.id, decision);
    assert.equal((await client.waitForAnswer(asked.messageId)).text, text);
  }
  assert.deepEqual(deployed, ['7']);
  console.log(
    '✓ questions: what a person approves is done, and what a person rejects or a peer approves is not',
  );

  const translating = await agent(
    'translator',
    askForLanguage,
    translateInto(async (text, language) => `${text}, in ${language}`),
  );
  const reply = await askWithLanguage(client, translating.id, 'French');
  assert.equal(reply.text, 'Good morning, in French');
  for (const [text, language] of [
    ['Good evening', 'Dutch'],
    ['Good night', 'Polish'],
  ] as const) {
    const asked = await operator.sendMessage(translating.id, text);
    const [question] = await operator.listQuestions(translating.id, { state: 'open' });
    assert.ok(question);
    await operator.answerQuestion(translating.id, question.id, { text: language });
    const answer = await operator.waitForAnswer(translating.id, asked.messageId);
    assert.equal(answer.text, `${text}, in ${language}`);
  }
  console.log('✓ questions: the sender answers one, and gets the answer to its message');
}
