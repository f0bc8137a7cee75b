/** Starts a platform, the application and two peers, and is the person who works with them. */
import 'reflect-metadata';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import {
  createRemoteAgent,
  type MessageHandler,
  type RemoteAgent,
  RemoteAgentClient,
} from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { getAgentToken } from '@molecule-ai/nestjs';
import { createPlatform } from '@molecule-ai/platform';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app-module.ts';
import { Archive } from './archive.ts';
import { CHAT_MODEL, LANGUAGE_MODEL } from './models.ts';
import { pause } from './scripts.ts';

const FACT = '990 of 1000 tests pass, and the ten others are known.';
const ARTICLE = `Release 4.2 is ready. ${FACT}`;
const isScripted = !process.env.OPENAI_API_KEY && !process.env.ANTHROPIC_API_KEY;

/** In a function: a CommonJS module has no `await` of its own. */
async function main(): Promise<void> {
  await using ends = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'molecule-nest-agents-'));
  ends.defer(() => rm(folder, { recursive: true, force: true }));
  const platform = await createPlatform({
    mode: 'dev',
    server: { port: 0 },
    data: { directory: ':memory:' },
  });
  ends.defer(() => platform.close());
  const operator = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });
  ends.defer(() => operator.close());

  /** A peer that is no part of the application, and what it was asked. */
  const peer = async (name: string, onMessage: MessageHandler) => {
    const { id, authToken } = await operator.createWorkspace({ name });
    const storage = { directory: join(folder, name) };
    const options = { platformUrl: platform.url, workspaceId: id, authToken, storage };
    const client = new RemoteAgentClient({ ...options, agentCard: { name } });
    ends.defer(() => client.close());
    const asked: string[] = [];
    const agent = createRemoteAgent({
      client,
      onMessage: (message, context) => {
        asked.push(message.text);
        return onMessage(message, context);
      },
    });
    ends.defer(() => agent.stop());
    await agent.start();
    return { client, asked };
  };
  const lab = await peer('test-lab', () => FACT);
  const chief = await peer('chief', () => 'ok');

  /** The settings of an agent of the application. */
  const member = async (name: string): Promise<string> => {
    const { id, authToken } = await operator.createWorkspace({ name });
    const variable = name.toUpperCase();
    process.env[`${variable}_WORKSPACE_ID`] = id;
    process.env[`${variable}_TOKEN`] = authToken ?? '';
    process.env[`${variable}_STATE_DIR`] = join(folder, name);
    return id;
  };
  process.env.MOLECULE_PLATFORM_URL = platform.url;
  const [researcherId, writerId] = [await member('researcher'), await member('writer')];
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
  ends.defer(() => app.close());
  for (const name of ['researcher', 'writer']) {
    const agent = app.get<RemoteAgent>(getAgentToken(name));
    if (agent.state !== 'running') await new Promise<void>((resolve) => agent.on('started', resolve));
  }
  const archive = app.get(Archive);

  const stream = operator.streamMessage(writerId, 'Write about the tests of release 4.2.');
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  const written = await stream.reply();
  assert.equal(written.status, 'answered');
  console.log(`  ${written.text}`);
  assert.ok(pieces.length > 1);
  assert.equal(pieces.join(''), written.text);
  console.log('✓ the writer asked the researcher, and its article was read while it was made');
  if (isScripted) {
    assert.equal(written.text, ARTICLE);
    assert.equal(lab.asked.length, 1);
    for (const token of [CHAT_MODEL, LANGUAGE_MODEL]) {
      const model = app.get<{ readonly read: string }>(token, { strict: false });
      assert.match(model.read, new RegExp(`<peer-text-(\\w+) .*>\\n${FACT}\\n</peer-text-\\1>`));
    }
    console.log('✓ the models of both frameworks read the words of their peers inside fences');
  }

  const { contextId } = written;
  const publish = await operator.sendMessage(writerId, 'Publish it.', { contextId });
  assert.equal(publish.status, 'input-required');
  assert.deepEqual(archive.list(), []);
  const [approval] = await operator.listQuestions(writerId, { state: 'open' });
  await operator.answerQuestion(writerId, approval?.id ?? '', { decision: 'approve' });
  assert.equal((await operator.waitForAnswer(writerId, publish.messageId)).status, 'answered');
  assert.equal(archive.list().length, 1);
  if (isScripted) assert.deepEqual(archive.list(), [ARTICLE]);
  console.log('✓ the writer remembered its article, and published it when the user had approved');

  const found = await chief.client.callPeer(researcherId, 'How are the tests of release 4.2?');
  assert.equal(found.status, 'answered');
  const report = await chief.client.callPeer(researcherId, 'Publish a report about it.', {
    contextId: found.contextId,
  });
  assert.equal(report.status, 'input-required');
  const [question] = await operator.listQuestions(researcherId, { state: 'open' });
  assert.equal(question?.kind, 'approval');
  await operator.answerQuestion(researcherId, question.id, { decision: 'approve' });
  assert.equal((await chief.client.waitForAnswer(report.messageId)).status, 'answered');
  assert.equal(archive.list().length, 2);
  if (isScripted) assert.equal(lab.asked.length, 2);
  console.log('✓ a peer asked the researcher, the user approved, and the peer got the answer');

  const refused = await chief.client.callPeer(writerId, 'x'.repeat(20_001));
  assert.deepEqual([refused.status, refused.code], ['failed', 'payload_too_large']);
  assert.equal(refused.text, 'A message may have 20000 characters.');
  console.log('✓ a guard of Nest refused a message, and its sender read why');

  if (isScripted) {
    const again = await chief.client.callPeer(researcherId, 'And 4.3, when the model is overloaded?');
    assert.equal(again.text, FACT);
    assert.equal(lab.asked.length, 3);
    console.log(
      '✓ a model failed once: the next attempt went on where it was, and asked the lab no second time',
    );

    const waiting = once(pause, 'waiting');
    const last = operator.sendMessage(writerId, 'What is published?');
    await waiting;
    const closing = app.close();
    await setImmediate();
    assert.ok(archive.isOpen);
    pause.emit('go');
    assert.equal((await last).text, 'There are 2 articles.');
    await closing;
    assert.ok(!archive.isOpen);
    console.log('✓ the application closed when the model had answered, and the archive after it');
  }
}

main().catch((error: unknown) => {
  console.error('✗', error);
  process.exitCode = 1;
});
