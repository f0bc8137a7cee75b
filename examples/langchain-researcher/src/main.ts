/** A person asks the researcher, reads its answer while it is made, and approves what it publishes. The platform is in this process. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform } from '@molecule-ai/platform';
import { researching } from '@molecule-tests/harness';
import { chooseChatModel } from '@molecule-tests/harness/langchain';
import { initChatModel } from 'langchain';
import { researcher } from './researcher.ts';

const FINDING = '990 of 1000 tests pass, and the ten others are known.';

await using ends = new AsyncDisposableStack();
// A real one with OPENAI_API_KEY or ANTHROPIC_API_KEY; its package is @langchain/openai or @langchain/anthropic.
const { model, scripted } = await chooseChatModel(researching, initChatModel);
const folder = await mkdtemp(join(tmpdir(), 'molecule-researcher-'));
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

const lab = createRemoteAgent({ client: await member('test-lab'), onMessage: () => FINDING });
ends.defer(() => lab.stop());
await lab.start();

const published: string[] = [];
const client = await member('researcher');
const agent = researcher({ client, model, publish: (report) => published.push(report) });
ends.defer(() => agent.stop());
await agent.start();
const { workspaceId } = client;

const stream = operator.streamMessage(workspaceId, 'How are the tests of release 4.2?');
const pieces: string[] = [];
for await (const piece of stream) pieces.push(piece);
const answer = await stream.reply();
assert.equal(answer.status, 'answered');
console.log(`  ${answer.text}`);
assert.ok(pieces.length > 1);
assert.equal(pieces.join(''), answer.text);
console.log('✓ the model asked a peer, and its answer was read while it was made');
if (scripted !== undefined) {
  assert.equal(answer.text, `My peer found: ${FINDING}`);
  assert.match(scripted.read, new RegExp(`<peer-text-(\\w+) .*>\\n${FINDING}\\n</peer-text-\\1>`));
  console.log('✓ it read the words of the peer inside a fence');
}

const asked = await operator.sendMessage(workspaceId, 'Publish a report about it.');
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
if (scripted !== undefined) assert.deepEqual(published, [FINDING]);
console.log('✓ the user approved it, and it was published once');
