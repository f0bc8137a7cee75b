// #region ask
import { createMolecule, type PeerModelMetadata } from '@molecule-ai/ai-sdk';
import type { PeerClient } from '@molecule-ai/core';
import { generateText, type ModelMessage, streamText } from 'ai';

/** Asks a peer as a model, and goes on where the conversation was. */
export async function askTwice(client: PeerClient, labId: string) {
  const molecule = createMolecule({ client });
  const messages: ModelMessage[] = [{ role: 'user', content: 'Can we ship?' }];
  const first = await generateText({ model: molecule(labId), messages });
  messages.push(...first.response.messages, { role: 'user', content: 'And on Friday?' });
  const second = streamText({ model: molecule(labId), messages });
  for await (const piece of second.textStream) process.stdout.write(piece); // a peer's words: for people, as text
  return [first.text, await second.text];
}
// #endregion ask

// #region question
/** Answers what the peer asks before it continues. */
export async function askAndAnswer(client: PeerClient, painterId: string, colour: string) {
  const model = createMolecule({ client })(painterId);
  const asked = await generateText({ model, prompt: 'Paint the door.' });
  const { questions = [] } = (asked.providerMetadata?.molecule ?? {}) as Partial<PeerModelMetadata>;
  const own = questions.filter(({ kind, from }) => kind === 'text' && from === 'sender');
  if (own.length === 0) return asked.text;
  const answers = own.map(({ id }) => ({ questionId: id, text: colour }));
  const { text } = await generateText({ model, prompt: colour, providerOptions: { molecule: { answers } } });
  return text;
}
// #endregion question
