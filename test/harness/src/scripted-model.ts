import { idIn, idOfPeer, type ModelScript, PromptReader } from './model-script.ts';

/** What a scripted model has read so far. */
export interface ModelInput {
  instructions: string;
  question: string;
  toolResult?: string | undefined;
}

/** What it does next: call its one tool with a question, or answer. */
export type ModelStep = { ask: string } | { say: string };

/**
 * Stands in for a language model, without a key or a network. It does what a model would do with these
 * instructions, and it sees only what a model would see: every word of its answer comes from its input.
 */
export function decide({ instructions, question, toolResult }: ModelInput): ModelStep {
  const known = /You know: (.+)/.exec(instructions)?.[1] ?? 'I know nothing.';
  if (toolResult !== undefined) {
    const reply = insideFence(toolResult);
    return { say: reply === undefined ? 'My colleague’s answer came without a fence.' : `${known} ${reply}` };
  }
  // A colleague's question is fenced; a user's is the user's own.
  const asked = insideFence(question) ?? question;
  const release = /ship release (\S+?)\?/.exec(asked)?.[1];
  return release === undefined ? { say: known } : { ask: `What do you know about release ${release}?` };
}

/** The text between the tags of the first fence, or undefined when there is none. */
export function insideFence(text: string): string | undefined {
  return /<peer-text-([0-9a-f]{32}) origin="[^"]*">\n([\s\S]*)\n<\/peer-text-\1>/.exec(text)?.[2];
}

/** Does what {@link decide} says: finds a colleague with `list_peers`, and asks it with `call_peer`. */
export function consulting(colleague: string): ModelScript {
  return (messages) => {
    const reader = new PromptReader(messages);
    const instructions = messages.find(({ role }) => role === 'system')?.text ?? '';
    const toolResult = reader.resultOf('call_peer');
    const step = decide({ instructions, question: reader.question, toolResult });
    if ('say' in step) return step.say;
    const peers = reader.resultOf('list_peers');
    if (peers === undefined) return { name: 'list_peers', args: {} };
    return { name: 'call_peer', args: { peer_id: idOfPeer(peers, colleague), text: step.ask } };
  };
}

/**
 * Lists its peers, asks the first of them what it was asked, and says what it read. When it is asked to publish, it publishes that with the tool
 * `publish_report`.
 */
export const researching: ModelScript = (messages) => {
  const reader = new PromptReader(messages);
  const results = messages.filter(({ role }) => role === 'tool');
  const resultOf = (name: string) => results.findLast(({ toolName }) => toolName === name)?.text;
  const peers = resultOf('list_peers');
  if (peers === undefined) return { name: 'list_peers', args: {} };
  const learned = resultOf('call_peer');
  if (learned === undefined)
    return { name: 'call_peer', args: { peer_id: idIn(peers), text: reader.question } };
  const finding = insideFence(learned) ?? '';
  if (!reader.question.startsWith('Publish')) return `My peer found: ${finding}`;
  const published = reader.resultOf('publish_report');
  if (published !== undefined) return `${published} It says: ${finding}`;
  return { name: 'publish_report', args: { report: finding } };
};
