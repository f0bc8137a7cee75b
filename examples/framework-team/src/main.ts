/** Starts a platform and the two processes, gives them a task, and approves what they made. One of them is killed meanwhile. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OperatorClient } from '@molecule-ai/core/operator';
import { createPlatform } from '@molecule-ai/platform';
import { ProgramProcess } from '@molecule-tests/harness';

const RESULTS = ['4.1: all tests pass.', '4.2: 990 of 1000 tests pass, and the ten others are known.'];
const isScripted = !process.env.OPENAI_API_KEY && !process.env.ANTHROPIC_API_KEY;

await using ends = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), 'molecule-team-'));
ends.defer(() => rm(folder, { recursive: true, force: true }));
const platform = await createPlatform({ mode: 'dev', server: { port: 0 }, data: { directory: ':memory:' } });
ends.defer(() => platform.close());
const operator = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });
ends.defer(() => operator.close());

/** Creates a workspace. The function starts a process of its agent, and waits until it is online. */
async function member(name: string, settings: Readonly<Record<string, string>>) {
  const { id, authToken } = await operator.createWorkspace({ name });
  const start = async (): Promise<ProgramProcess> => {
    const started = new ProgramProcess({
      name,
      program: fileURLToPath(new URL(`./${name}-program.js`, import.meta.url)),
      folder,
      environment: {
        MOLECULE_PLATFORM_URL: platform.url,
        MOLECULE_WORKSPACE_ID: id,
        MOLECULE_WORKSPACE_TOKEN: authToken ?? '',
        MOLECULE_STATE_DIR: join(folder, name),
        ...settings,
      },
    });
    ends.defer(() => started.kill());
    await started.waitForEvent('online');
    return started;
  };
  return { id, start };
}

const PUBLISHED = join(folder, 'published.txt');
const published = () => readFile(PUBLISHED, 'utf8').catch(() => '');
const researcher = await member('researcher', { RESULTS: RESULTS.join('\n') });
const writer = await member('writer', { PUBLISHED, CONVERSATIONS: join(folder, 'conversations') });
const researching = await researcher.start();
const first = await writer.start();
assert.notEqual(researching.pid, first.pid);

const asked = await operator.sendMessage(writer.id, 'Announce release 4.2.');
assert.equal(asked.status, 'input-required');
const question = await researching.waitForEvent('asked');
assert.equal(question.from, 'peer_agent');
console.log(`  the agent of LangChain was asked by that of the AI SDK: ${question.text}`);
console.log('✓ two processes, one of each framework, worked on one task');

const [approval] = await operator.listQuestions(writer.id, { state: 'open' });
assert.equal(approval?.kind, 'approval');
assert.equal(await published(), '');
console.log(`  ${approval.text} ${JSON.stringify(approval.data)}`);
console.log('✓ the user is asked, and nothing was published');

await first.kill();
await operator.answerQuestion(writer.id, approval.id, { decision: 'approve' });
await writer.start();
const done = await operator.waitForAnswer(writer.id, asked.messageId);
assert.equal(done.status, 'answered');
console.log(`  ${done.text}`);
const text = await published();
assert.equal(text.split('\n').filter((line) => line !== '').length, 1);
if (isScripted) assert.equal(text, `Release ${RESULTS[1]}\n`);
console.log('✓ the process that asked was killed; the next one published what the user approved, once');
