/** An agent of a small framework joins an organisation: it asks a peer, answers a person, asks before it acts, and stops when it is told to. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRemoteAgent, peerTextInstructions, RemoteAgentClient } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform } from '@molecule-ai/platform';
import { loopHandler, loopTools } from './adapter.ts';
import { Loop, type LoopMessage, type LoopTool, type Model } from './loop.ts';

const FACT = '990 of 1000 tests pass.';

await using ends = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), 'molecule-by-hand-'));
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
  });
  ends.defer(() => client.close());
  return client;
}

const labClient = await member('test-lab');
const lab = createRemoteAgent({ client: labClient, onMessage: () => FACT });
ends.defer(() => lab.stop());
await lab.start();

const prompts: LoopMessage[][] = [];
let wasAborted = false;
const isWaiting = Promise.withResolvers<void>();

/** A model that follows a script: it does what the last message says. */
const model: Model = async function* ({ messages }, signal) {
  prompts.push([...messages]);
  const last = messages.at(-1);
  const id = `call-${messages.length}`;
  if (last?.role === 'tool') {
    yield 'The result: ';
    yield last.text.includes(FACT) ? FACT : last.text;
    return [];
  }
  if (last?.text.startsWith('Ask')) {
    return [{ id, name: 'call_peer', input: { peer_id: labClient.workspaceId, text: 'How are the tests?' } }];
  }
  if (last?.text.startsWith('Publish')) return [{ id, name: 'publish', input: { version: '4.2' } }];
  if (last?.text.startsWith('Wait')) {
    isWaiting.resolve();
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    wasAborted = true;
    signal.throwIfAborted();
  }
  yield `You said: ${last?.text}`;
  return [];
};

const published: unknown[] = [];
const publish: LoopTool = {
  name: 'publish',
  description: 'Publishes a version.',
  inputSchema: { type: 'object' },
  needsApproval: true,
  execute: async (input) => {
    published.push(input);
    return { text: 'Published.' };
  },
};

const client = await member('release-lead');
const loop = new Loop({ model, instructions: peerTextInstructions, tools: [...loopTools(client), publish] });
const agent = createRemoteAgent({ client, onMessage: loopHandler(loop) });
ends.defer(() => agent.stop());
await agent.start();
const { workspaceId } = client;

const hello = await operator.sendMessage(workspaceId, 'Good morning.');
assert.equal(hello.text, 'You said: Good morning.');
console.log('✓ a message goes to the model, and its words are the answer');

const stream = operator.streamMessage(workspaceId, 'Ask the lab.');
const pieces: string[] = [];
for await (const piece of stream) pieces.push(piece);
assert.equal(pieces.join(''), `The result: ${FACT}`);
assert.equal((await stream.reply()).text, pieces.join(''));
const read = prompts.at(-1)?.at(-1)?.text ?? '';
assert.match(read, new RegExp(`<peer-text-(\\w+) .*>\\n${FACT}\\n</peer-text-\\1>`));
console.log('✓ the model asked a peer by a tool and read its words in a fence; its own words were streamed');

const asked = await operator.sendMessage(workspaceId, 'Publish it.');
assert.equal(asked.status, 'input-required');
assert.deepEqual(published, []);
const [question] = await operator.listQuestions(workspaceId, { state: 'open' });
assert.deepEqual(question?.data, { action: 'publish', args: { version: '4.2' } });
await operator.answerQuestion(workspaceId, question.id, { decision: 'approve' });
const done = await operator.waitForAnswer(workspaceId, asked.messageId);
assert.equal(done.text, 'The result: Published.');
assert.deepEqual(published, [{ version: '4.2' }]);
console.log('✓ it asked before it published, a person approved, and it published once');

const leaving = new AbortController();
const waiting = operator.sendMessage(workspaceId, 'Wait for me.', { signal: leaving.signal });
await isWaiting.promise;
leaving.abort();
await assert.rejects(waiting);
const after = await operator.sendMessage(workspaceId, 'Are you there?');
assert.equal(after.text, 'You said: Are you there?');
assert.ok(wasAborted);
console.log('✓ a message that was cancelled aborted the model, and the agent goes on');
