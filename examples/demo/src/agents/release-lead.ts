/**
 * The parent: an agent on the core alone, without a framework or a model.
 * It asks each of its children what the user asked, and gives the user their answers.
 */
import {
  createRemoteAgent,
  type HandlerContext,
  type InboundMessage,
  RemoteAgentClient,
} from '@molecule-ai/core';
import { log } from './log.ts';

// Platform, workspace id and state folder come from the environment.
const client = new RemoteAgentClient({ agentCard: { name: 'release-lead' } });

async function askChildren(message: InboundMessage, { signal }: HandlerContext): Promise<string> {
  const peers = await client.getPeers({ signal });
  const children = peers.filter((peer) => peer.parentId === client.workspaceId);
  const answers = children.map(async (child) => {
    const reply = await client.callPeer(child.id, message.text, { signal, timeoutMs: 8_000 });
    // One answer in its three forms: as it came, for people, for a model.
    const { status, raw, text } = reply;
    log('answer', { from: child.name, status, raw, text, forModel: reply.forModel() });
    return `${child.name}: ${text || status}`;
  });
  return (await Promise.all(answers)).join('\n');
}

// The short interval is for the demo, which waits until a pause is noticed.
const agent = createRemoteAgent({ client, onMessage: askChildren, heartbeatIntervalMs: 1_000 });
process.once('SIGTERM', () => agent.stop());
await agent.start();
log('online');
log('ended', { outcome: await agent.closed });
await client.close();
