import assert from 'node:assert/strict';
import { AIMessageChunk } from '@langchain/core/messages';
import { FakeStreamingChatModel } from '@langchain/core/utils/testing';
import { peerTextInstructions, wrapA2aBoundary } from '@molecule-ai/core';
import { FakeToolCallingModel } from 'langchain';
import { plan } from './langchain.ts';
import { join } from './langchain-agent.ts';
import { speak } from './langchain-stream.ts';
import { askLab } from './langchain-tools.ts';
import type { Stage } from './stage.ts';

/** A LangChain agent that answers messages and asks a peer, a tool without a model, and a stream. */
export async function checkLangChain({ member, agent, operator, onEnd }: Stage): Promise<void> {
  const lab = await agent('lab', () => '990 of 1000 pass.');
  const { client } = await member('planner');
  await client.register();
  const asked = await askLab(client, lab.id, AbortSignal.timeout(20_000));
  assert.equal(asked.forPeople, '990 of 1000 pass.');
  assert.match(asked.forModel, /answered:\n<peer-text-[0-9a-f]{32} /);
  assert.equal(asked.isError, false);

  const call = { name: 'call_peer', args: { peer_id: lab.id, text: 'Can we ship?' }, id: 'call_0' };
  // It says what it has read.
  const model = new FakeToolCallingModel({ toolCalls: [[{ ...call, type: 'tool_call' }], []] });
  const said = (await plan(client, model, 'Ask the lab.')) ?? '';
  assert.ok(said.startsWith('You plan releases.'));
  assert.ok(said.includes(peerTextInstructions));
  assert.ok(said.includes(asked.forModel));

  const joining = await member('joining');
  const running = await join(joining.client, new FakeToolCallingModel({ toolCalls: [[]] }));
  onEnd(() => running.stop());
  const reply = await operator.sendMessage(joining.id, 'Can we ship?');
  assert.equal(reply.status, 'answered');
  assert.ok(reply.text.startsWith('You plan releases.') && reply.text.endsWith('Can we ship?'));

  const answer = `The lab says ${wrapA2aBoundary('yes')}.`;
  const chunks = [answer.slice(0, 20), answer.slice(20)].map((content) => new AIMessageChunk({ content }));
  let shown = '';
  for await (const text of speak(client, new Talking({ chunks }), 'Can we ship?')) shown += text;
  assert.equal(shown, 'The lab says yes.');
  console.log(
    '✓ LangChain: an agent answers messages and asks a peer, a tool is called without a model, and a stream has no markers',
  );
}

class Talking extends FakeStreamingChatModel {
  override bindTools() {
    return this;
  }
}
