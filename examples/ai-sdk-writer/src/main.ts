/** A person has an article written, reads it while it is made, and approves that it is published. The platform is in this process. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRemoteAgent, type MessageHandler, RemoteAgentClient } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform } from '@molecule-ai/platform';
import { chooseLanguageModel } from '@molecule-tests/harness/ai-sdk';
import { writer } from './writer.ts';
import { writing } from './writing.ts';

const FACT = '990 of 1000 tests pass, and the ten others are known.';
const ARTICLE = `Release 4.2 is ready. ${FACT}`;

await using ends = new AsyncDisposableStack();
// A real one with OPENAI_API_KEY or ANTHROPIC_API_KEY; its package is @ai-sdk/openai or @ai-sdk/anthropic.
const { model, scripted } = await chooseLanguageModel(writing, (name) => import(name));
const folder = await mkdtemp(join(tmpdir(), 'molecule-writer-'));
ends.defer(() => rm(folder, { recursive: true, force: true }));
const platform = await createPlatform({ mode: 'dev', server: { port: 0 }, data: { directory: ':memory:' } });
ends.defer(() => platform.close());
const operator = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });
ends.defer(() => operator.close());

/** A workspace, and the client of its agent. */
async function member(name: string): Promise<RemoteAgentClient> {
  const { id, authToken } = await operator.createWorkspace({ name });
  const client = new RemoteAgentClient({
    platformUrl: platform.url,
    workspaceId: id,
    authToken,
    storage: { directory: join(folder, name) },
    agentCard: { name },
  });
  ends.defer(() => client.close());
  return client;
}

/** A peer, and what it was asked. */
async function peer(name: string, onMessage: MessageHandler) {
  const asked: string[] = [];
  const client = await member(name);
  const agent = createRemoteAgent({
    client,
    onMessage: (message, context) => {
      asked.push(message.text);
      return onMessage(message, context);
    },
  });
  ends.defer(() => agent.stop());
  await agent.start();
  return { id: client.workspaceId, asked };
}

const lab = await peer('test-lab', () => FACT);
const editor = await peer('editor', ({ text }) => text.replace('redy', 'ready'));
const published: string[] = [];
const client = await member('writer');
const agent = writer({ client, model, editorId: editor.id, publish: (article) => published.push(article) });
ends.defer(() => agent.stop());
await agent.start();
const { workspaceId } = client;

const stream = operator.streamMessage(workspaceId, 'Write about the tests of release 4.2.');
const pieces: string[] = [];
for await (const piece of stream) pieces.push(piece);
const answer = await stream.reply();
assert.equal(answer.status, 'answered');
console.log(`  ${answer.text}`);
assert.ok(pieces.length > 1);
assert.equal(pieces.join(''), answer.text);
console.log('✓ the writer asked its peers, and its article was read while it was made');
if (scripted !== undefined) {
  assert.equal(answer.text, ARTICLE);
  assert.equal(lab.asked.length, 1);
  assert.deepEqual(editor.asked, [`Release 4.2 is redy. ${FACT}`]);
  console.log('✓ one peer was asked by a tool, the other one as a language model');
  for (const words of [FACT, ARTICLE]) {
    assert.match(scripted.read, new RegExp(`<peer-text-(\\w+) .*>\\n${words}\\n</peer-text-\\1>`));
  }
  console.log('✓ the model read the words of both inside fences');
}

const asked = await operator.sendMessage(workspaceId, 'Publish it.', { contextId: answer.contextId });
assert.equal(asked.status, 'input-required');
assert.deepEqual(published, []);
const [question] = await operator.listQuestions(workspaceId, { state: 'open' });
assert.equal(question?.kind, 'approval');
console.log(`  ${question.text} ${JSON.stringify(question.data)}`);
console.log('✓ it asked before it published, and nothing was published');

await operator.answerQuestion(workspaceId, question.id, { decision: 'approve' });
const done = await operator.waitForAnswer(workspaceId, asked.messageId);
assert.equal(done.status, 'answered');
console.log(`  ${done.text}`);
assert.equal(published.length, 1);
if (scripted !== undefined) assert.deepEqual(published, [ARTICLE]);
console.log('✓ the user approved it, and it was published once');
