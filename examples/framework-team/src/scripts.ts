import { idIn, insideFence, type ModelScript, PromptReader } from '@molecule-tests/harness';

/** What the model of the researcher does: reads the results, and says those of the release that it is asked for. */
export const researching: ModelScript = (messages) => {
  const reader = new PromptReader(messages);
  const results = reader.resultOf('read_results');
  if (results === undefined) return { name: 'read_results', args: {} };
  const release = /\d+\.\d+/.exec(insideFence(reader.question) ?? '')?.[0];
  return results.split('\n').find((line) => line.startsWith(`${release}:`)) ?? 'I know nothing of it.';
};

/** What the model of the writer does: asks the researcher, and publishes what it learned. */
export const announcing: ModelScript = (messages) => {
  const reader = new PromptReader(messages);
  const release = /\d+\.\d+/.exec(reader.question)?.[0];
  const peers = reader.resultOf('list_peers');
  if (peers === undefined) return { name: 'list_peers', args: {} };
  const facts = reader.resultOf('call_peer');
  if (facts === undefined) {
    const text = `What do you know about the tests of release ${release}?`;
    return { name: 'call_peer', args: { peer_id: idIn(peers), text } };
  }
  const published = reader.resultOf('publish');
  if (published !== undefined) return `${published} Release ${release} is announced.`;
  return { name: 'publish', args: { text: `Release ${insideFence(facts)}` } };
};
