import assert from 'node:assert/strict';
import { once } from 'node:events';
import { MessageFailure } from '@molecule-ai/core';
import {
  ask,
  askInTime,
  askPatiently,
  askTwice,
  delegate,
  findPeer,
  relay,
  showResult,
  tryToAsk,
} from './calling-peers.ts';
import type { Stage } from './stage.ts';

/** Each function of the page, between agents that are related as in its sketch. */
export async function checkCallingPeers({ operator, member, agent }: Stage): Promise<void> {
  const conversations = new Set<string>();
  let runs = 0;
  const tests = await agent('tests', async (message, { signal }) => {
    runs += 1;
    conversations.add(message.conversationId);
    if (message.text === 'Count all files.') await once(signal, 'abort');
    if (message.text === 'fail') throw new MessageFailure('No disk.', { code: 'no_disk' });
    return message.text === 'nothing' ? undefined : `got ${message.text}`;
  });
  const lead = await member('lead');
  const { client } = lead;
  await client.register();

  assert.equal(await findPeer(client, 'tests'), tests.id);
  assert.equal(await findPeer(client, 'nobody'), undefined);
  assert.equal(await ask(client, tests.id, 'this'), 'It says: got this');
  assert.equal(await ask(client, tests.id, 'fail'), 'It failed, no_disk: No disk.');
  assert.equal(await ask(client, tests.id, 'nothing'), 'unanswered');
  console.log('✓ calling peers: one is found, and asked');

  runs = 0;
  for (const _run of ['first', 'second']) {
    const reply = await askPatiently(client, tests.id, 'a report', 'report of Monday');
    assert.equal(reply.text, 'got a report');
  }
  assert.equal(runs, 1);
  conversations.clear();
  assert.equal((await askTwice(client, tests.id)).text, 'got And who made it?');
  assert.equal(conversations.size, 1);
  assert.equal((await askInTime(client, tests.id)).status, 'canceled');
  console.log('✓ calling peers: one message however often it is sent; conversations; cancelling');

  const desk = await agent('desk', relay(tests.id));
  assert.equal((await operator.sendMessage(desk.id, 'that')).text, 'got that');
  const office = await agent('office', delegate(tests.id), showResult);
  const shown = Promise.withResolvers<void>();
  office.agent.on('delivered', ({ inReplyTo }) => {
    if (inReplyTo !== '') shown.resolve();
  });
  assert.match((await operator.sendMessage(office.id, 'those')).text, /^Passed on/);
  await shown.promise;
  const { rows } = await operator.listActivity(office.id, { direction: 'out' });
  assert.ok(rows.some(({ text }) => text === 'The result: got those'));
  console.log('✓ calling peers: a handler waits for an answer, another one gets it as a message');

  let next = '';
  const echo = await agent('echo', (message, context) => relay(next)(message, context));
  const mirror = await agent('mirror', relay(echo.id));
  next = mirror.id;
  // The last of them fails with loop_detected, and the one before it says so.
  assert.equal((await operator.sendMessage(mirror.id, 'round')).text, 'I got no answer: failed.');
  const below = await member('disk', { parentId: desk.id });
  await below.client.register();
  assert.equal(await tryToAsk(below.client, tests.id), 'I may not write to it.');
  assert.equal(await tryToAsk(client, tests.id), 'got What is new?');
  console.log('✓ calling peers: a circle ends, and who is not related is refused');
}
