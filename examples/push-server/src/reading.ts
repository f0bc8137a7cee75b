import type { PeerClient, PeerReply } from '@molecule-ai/core';
import type { OperatorClient } from '@molecule-ai/core/operator';

// #region read
/** Shows an answer while it is made, and returns what a model may read of it. */
export async function readAloud(client: PeerClient, peerId: string, question: string): Promise<string> {
  const stream = client.streamPeer(peerId, question); // sent at once
  for await (const piece of stream) process.stdout.write(piece); // for people; untrusted
  const reply = await stream.reply(); // what callPeer would have returned
  if (reply.status === 'answered') return reply.forModel(); // fenced
  console.log(`\n${reply.status}: ${reply.text}`); // of a failure the reason; of a message that is still open ''
  return `Not the whole answer (${reply.status}): ${stream.forModel()}`; // what was read so far, fenced
}
// #endregion read

// #region people
/** The same for a person who asks an agent. */
export async function show(
  operator: OperatorClient,
  workspaceId: string,
  question: string,
): Promise<PeerReply> {
  const stream = operator.streamMessage(workspaceId, question);
  for await (const piece of stream) process.stdout.write(piece);
  return stream.reply();
}
// #endregion people

// #region leave
/** Reads up to the end of the first line and leaves: that closes the connection and cancels nothing. */
export async function readOneLine(client: PeerClient, peerId: string, question: string) {
  const stream = client.streamPeer(peerId, question);
  for await (const _piece of stream) if (stream.text.includes('\n')) break;
  const [line = ''] = stream.text.split('\n');
  return { line, messageId: stream.messageId }; // client.waitForAnswer(messageId) returns the whole
}
// #endregion leave

// #region abort
/** Cancels the message when the answer is long enough: the signal of the peer's handler aborts. */
export async function readUpTo(client: PeerClient, peerId: string, question: string, length: number) {
  const enough = new AbortController();
  const stream = client.streamPeer(peerId, question, { signal: enough.signal });
  try {
    for await (const _piece of stream) if (stream.text.length >= length) enough.abort();
  } catch (error) {
    if (!enough.signal.aborted) throw error;
  }
  return { forModel: stream.forModel(), messageId: stream.messageId }; // what was read so far
}
// #endregion abort
