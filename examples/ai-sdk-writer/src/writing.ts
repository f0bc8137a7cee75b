import { idOfPeer, insideFence, type ModelScript, PromptReader } from '@molecule-tests/harness';

/** What a model does that writes: asks the lab, has the editor correct its draft, says it, and publishes it when the user asks. */
export const writing: ModelScript = (messages) => {
  const reader = new PromptReader(messages);
  if (reader.question.startsWith('Publish')) {
    const said = messages.findLast(({ role, text }) => role === 'assistant' && text !== '')?.text ?? '';
    // These words are the editor's, so they are in a fence wherever they come from.
    const article = insideFence(said) ?? said;
    return reader.resultOf('publish_article') ?? { name: 'publish_article', args: { article } };
  }
  const peers = reader.resultOf('list_peers');
  if (peers === undefined) return { name: 'list_peers', args: {} };
  const facts = reader.resultOf('call_peer');
  if (facts === undefined) {
    return { name: 'call_peer', args: { peer_id: idOfPeer(peers, 'test-lab'), text: reader.question } };
  }
  const corrected = reader.resultOf('proofread');
  if (corrected === undefined) {
    return { name: 'proofread', args: { draft: `Release 4.2 is redy. ${insideFence(facts)}` } };
  }
  return insideFence(corrected) ?? 'The editor did not answer.';
};
