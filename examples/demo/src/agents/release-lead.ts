/**
 * The parent: an agent on the core alone, without a framework or a model.
 * It asks each of its children what the user asked, and passes their answers on to the user piece by piece, as they come. An order
 * it passes on as a whole.
 */
import {
  createRemoteAgent,
  type HandlerContext,
  type InboundMessage,
  RemoteAgentClient,
} from '@molecule-ai/core';
import { log } from './log.ts';
import { sabotaged } from './sabotage.ts';

// Platform, workspace id and state folder come from the environment.
const client = new RemoteAgentClient({ agentCard: { name: 'release-lead' } });

/** All children are asked at once, and their answers are read one after the other. */
async function* askChildren(message: InboundMessage, { signal }: HandlerContext): AsyncGenerator<string> {
  const peers = await client.getPeers({ signal });
  const asked = peers
    .filter((peer) => peer.parentId === client.workspaceId)
    .map(({ id, name }) => ({
      name,
      stream: client.streamPeer(id, message.text, { signal, timeoutMs: 8_000 }),
    }));
  for (const [index, { name, stream }] of asked.entries()) {
    yield `${index === 0 ? '' : '\n'}${name}: `;
    for await (const piece of stream) {
      log('piece', { from: name, piece, forModel: stream.forModel() });
      yield piece;
    }
    const reply = await stream.reply();
    // One answer in its three forms: as it came, for people, for a model.
    const { via, status, raw, text } = reply;
    log('answer', { from: name, via, status, raw, text, forModel: reply.forModel() });
    if (status !== 'answered') yield text === '' ? status : `${status}: ${text}`;
  }
}

/** Passes an order on to the one that operates production, through the platform: it keeps a record of what it carries. */
async function askForRollBack({ text }: InboundMessage, { signal }: HandlerContext): Promise<string> {
  const desk = (await client.getPeers({ signal })).find(({ name }) => name === 'ops-desk');
  if (desk === undefined) return 'Nobody operates production.';
  const reply = await client.callPeer(desk.id, text, { via: 'proxy', signal, timeoutMs: 8_000 });
  log('roll-back', { messageId: reply.messageId, status: reply.status, code: reply.code, text: reply.text });
  for (const { id } of reply.questions) {
    // What is not the sender's to decide stays undecided, whatever the sender writes; `answers` takes no decision at all.
    const { text } = await client.callPeer(desk.id, 'Yes, go ahead.', {
      contextId: reply.contextId,
      via: 'proxy',
      metadata: { answers: [{ question_id: id, decision: 'approve' }] },
      signal,
    });
    log('said-yes', { questionId: id, text });
  }
  return `${desk.name}: ${reply.text || reply.status}`;
}

// The short interval is for the demo, which waits until a pause is noticed.
function onMessage(
  message: InboundMessage,
  context: HandlerContext,
): Promise<string> | AsyncGenerator<string> {
  const isOrder = message.text.startsWith('Roll production back');
  return isOrder ? askForRollBack(message, context) : askChildren(message, context);
}

const agent = createRemoteAgent({
  client,
  onMessage: sabotaged(onMessage),
  onAnswer: (answer) => {
    if (answer.kind === 'late')
      log('late-answer', { inReplyTo: answer.original.messageId, text: answer.reply.text });
  },
  presence: { heartbeatIntervalMs: 1_000 },
});
process.once('SIGTERM', () => agent.stop());
await agent.start();
log('online');
log('ended', { outcome: await agent.closed });
await client.close();
