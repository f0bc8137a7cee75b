import { EventEmitter, once } from 'node:events';
import { idOfPeer, insideFence, type ModelScript, PromptReader } from '@molecule-tests/harness';

/** The model of the writer emits `waiting`, and goes on at `go`. */
export const pause = new EventEmitter();

let hasFailed = false;

/** Asks the lab, says what it learned, and publishes it when it is asked to. Once it fails, after the lab has answered. */
export const researching: ModelScript = (messages) => {
  const reader = new PromptReader(messages);
  const question = insideFence(reader.question) ?? reader.question;
  const learned = messages.findLast(({ toolName }) => toolName === 'call_peer')?.text;
  if (learned === undefined) {
    const peers = reader.resultOf('list_peers');
    if (peers === undefined) return { name: 'list_peers', args: {} };
    return { name: 'call_peer', args: { peer_id: idOfPeer(peers, 'test-lab'), text: question } };
  }
  if (question.includes('overloaded') && !hasFailed) {
    hasFailed = true;
    throw Object.assign(new Error('The model is overloaded.'), { status: 529 });
  }
  const finding = insideFence(learned) ?? '';
  if (!question.startsWith('Publish')) return finding;
  return (
    reader.resultOf('publish_report') ?? {
      name: 'publish_report',
      args: { report: `Report: ${finding}` },
    }
  );
};

/** Asks the researcher, writes with it, publishes, and says what is in the archive. */
export const writing: ModelScript = async (messages) => {
  const reader = new PromptReader(messages);
  if (reader.question.startsWith('Publish')) {
    const said = messages.findLast(({ role, text }) => role === 'assistant' && text !== '')?.text ?? '';
    const article = insideFence(said) ?? said;
    return reader.resultOf('publish_article') ?? { name: 'publish_article', args: { article } };
  }
  if (reader.question.startsWith('What')) {
    const archive = reader.resultOf('read_archive');
    if (archive !== undefined) return `There are ${archive} articles.`;
    const go = once(pause, 'go');
    pause.emit('waiting');
    await go;
    return { name: 'read_archive', args: {} };
  }
  const peers = reader.resultOf('list_peers');
  if (peers === undefined) return { name: 'list_peers', args: {} };
  const facts = reader.resultOf('call_peer');
  if (facts !== undefined) return `Release 4.2 is ready. ${insideFence(facts)}`;
  return { name: 'call_peer', args: { peer_id: idOfPeer(peers, 'researcher'), text: reader.question } };
};
