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
