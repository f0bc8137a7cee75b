import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { MessageHandler, RemoteAgentClient } from '@molecule-ai/core';
import type { OperatorClient } from '@molecule-ai/core/operator';
import { readAloud, readOneLine, readUpTo, show } from './reading.ts';
import { streamingFrom } from './streaming.ts';

/** An agent that makes its answer as far as its readers have read it. */
export function steppingAgent() {
  const next = Promise.withResolvers<void>();
  const onMessage: MessageHandler = (message, context) => {
    const pieces = async function* () {
      yield 'The first line.\nThe ';
      if (message.text.includes('wait')) await next.promise;
      if (message.text.includes('for ever')) await once(context.signal, 'abort');
      if (message.text.includes('fail')) throw new Error('no tokens left');
      yield 'second line.';
    };
    return streamingFrom(async (topic) => topic, pieces)(message, context);
  };
  return { onMessage, goOn: next.resolve };
}

const WHOLE = 'The first line.\nThe second line.';

/** Reads the answers of a stepping agent in each way that the guide shows. */
export async function checkReading(
  name: string,
  client: RemoteAgentClient,
  operator: OperatorClient,
  agent: { readonly id: string; readonly goOn: () => void },
): Promise<void> {
  const line = await readOneLine(client, agent.id, 'wait for the reader');
  assert.equal(line.line, 'The first line.');
  agent.goOn();
  assert.equal((await client.waitForAnswer(line.messageId)).text, WHOLE);
  console.log(`✓ ${name}: one line was read while the answer was made; the whole was kept`);

  assert.match(
    await readAloud(client, agent.id, 'all'),
    /^<peer-text-\w+ [^>]*>\nThe first line\.\nThe second line\.\n</,
  );
  assert.equal((await show(operator, agent.id, 'all')).text, WHOLE);
  console.log(`\n✓ ${name}: a peer and a person read an answer; a model reads the peer's inside a fence`);

  const part = await readUpTo(client, agent.id, 'for ever', 10);
  assert.match(part.forModel, /\nThe first line\.\n/);
  assert.equal((await client.waitForAnswer(part.messageId)).status, 'canceled');
  console.log(`✓ ${name}: an abort cancelled the message`);

  const failed = await client.streamPeer(agent.id, 'fail').reply();
  assert.deepEqual(
    [failed.status, failed.code, failed.text],
    ['failed', 'model_stopped', 'The model stopped half-way.'],
  );
  console.log(`✓ ${name}: a failure after the first piece has its own text`);
  const beginning = await readAloud(client, agent.id, 'fail');
  assert.match(beginning, /^Not the whole answer \(failed\): <peer-text-[\s\S]*The first line\.\nThe/);
}

/** Reads a stepping agent through another agent that passes its answers on. */
export async function checkPassingOn(operator: OperatorClient, id: string): Promise<void> {
  assert.equal((await operator.sendMessage(id, 'all')).text, WHOLE);
  const stream = operator.streamMessage(id, 'fail');
  const { status, code } = await stream.reply();
  assert.deepEqual([stream.text.trim(), status, code], ['The first line.\nThe', 'failed', 'not_answered']);
  console.log('✓ an agent passed on what another one wrote, and its failure');
}
