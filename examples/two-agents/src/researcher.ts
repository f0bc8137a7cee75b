// #region client
import { RemoteAgentClient } from '@molecule-ai/core';

// #endregion client

/** Asks the first peer, then answers what it is asked. What a model may read is added to `prompt`. */
export async function runResearcher(
  workspaceId: string,
  platformUrl: string,
  prompt: string[],
  signal: AbortSignal,
): Promise<string> {
  // #region client
  const client = new RemoteAgentClient({
    workspaceId, // '0b6f0c3e-1d5a-4c1b-9a51-6f2f1b8f0a01'
    platformUrl, // 'https://acme.example'
    agentCard: { name: 'researcher', skills: [{ id: 'search', name: 'Web search' }] },
  });

  await client.register(); // an issued token is stored, mode 0600
  const [peer] = await client.getPeers();
  if (peer === undefined) throw new Error('nobody to ask');
  const reply = await client.callPeer(peer.id, 'Summarise the incident');

  if (reply.status === 'answered') console.log(reply.text); // for people; untrusted
  prompt.push(reply.forModel()); // for a model: fenced

  // #endregion client
  // #region stream
  const stream = client.streamPeer(peer.id, 'And how was it resolved?');
  for await (const piece of stream) process.stdout.write(piece); // for people; untrusted
  const { status } = await stream.reply(); // what callPeer would have returned
  prompt.push(stream.forModel()); // for a model: fenced
  // #endregion stream
  console.log(` (${status})`);
  // #region client
  const ended = await client.runAgentLoop((message) => `echo: ${message.text}`, { signal });
  // 'paused' | 'removed' | 'revoked' | 'superseded' | 'stopped'
  // #endregion client
  await client.close();
  return ended;
}
