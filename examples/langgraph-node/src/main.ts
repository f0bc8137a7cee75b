/** Kills a process while the peer in its graph works, and starts it again. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRemoteAgent, RemoteAgentClient } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform } from '@molecule-ai/platform';
import { ProgramProcess } from '@molecule-tests/harness';

await using ends = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), 'molecule-langgraph-'));
ends.defer(() => rm(folder, { recursive: true, force: true }));
const platform = await createPlatform({ mode: 'dev', server: { port: 0 }, data: { directory: ':memory:' } });
ends.defer(() => platform.close());
const operator = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });
ends.defer(() => operator.close());

const lab = await operator.createWorkspace({ name: 'test-lab' });
const labClient = new RemoteAgentClient({
  platformUrl: platform.url,
  workspaceId: lab.id,
  authToken: lab.authToken,
  storage: { directory: join(folder, 'lab') },
});
ends.defer(() => labClient.close());
const received: string[] = [];
const isAsked = Promise.withResolvers<void>();
const isKilled = Promise.withResolvers<void>();
const labAgent = createRemoteAgent({
  client: labClient,
  onMessage: async ({ text }) => {
    received.push(text);
    isAsked.resolve();
    await isKilled.promise;
    return 'I ran them: all tests pass.';
  },
});
ends.defer(() => labAgent.stop());
await labAgent.start();

const lead = await operator.createWorkspace({ name: 'release-lead' });
const run = (name: string) => {
  const started = new ProgramProcess({
    name,
    program: fileURLToPath(new URL('./program.js', import.meta.url)),
    folder,
    environment: {
      MOLECULE_PLATFORM_URL: platform.url,
      MOLECULE_WORKSPACE_ID: lead.id,
      MOLECULE_WORKSPACE_TOKEN: lead.authToken ?? '',
      MOLECULE_STATE_DIR: join(folder, 'lead'),
      CHECKPOINTS: join(folder, 'checkpoints'),
      LAB_ID: lab.id,
    },
  });
  ends.defer(() => started.kill());
  return started;
};

const first = run('first');
await isAsked.promise;
await first.kill();
isKilled.resolve();
console.log('✓ the process was killed while the peer worked');

const second = run('second');
const { next } = await second.waitForEvent('running');
assert.deepEqual(next, ['lab']);
console.log('✓ the next process goes on at the node of the peer');
const { texts } = await second.waitForEvent('done');
const [question, answer, decision] = texts as string[];
assert.match(answer ?? '', /^<peer-text-(\w+) .*>\nI ran them: all tests pass\.\n<\/peer-text-\1>$/);
assert.equal(decision, 'Ship it.');
assert.deepEqual(received, [question]);
console.log('✓ the peer was reached once, and its answer is in the state of the graph, in a fence');
