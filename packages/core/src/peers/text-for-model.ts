import { type InboundMessage, isJsonObject, skillName, stripA2aBoundary } from '@molecule-ai/protocol';
import { invalidArgument } from '../errors/molecule-error.ts';
import { argumentProblem, flag, type OptionsOf, optionsSchema } from '../settings/options.ts';
import { fencePeerText, type ModelText, ownWords } from '../trust-boundary/fence.ts';
import type { PeerInfo } from './peer-info.ts';

const MAX_NAME_LENGTH = 200;
const MAX_DESCRIPTION_LENGTH = 1_000;
const MAX_SKILLS = 20;

/** Ids and states are the platform's; anything that could carry a sentence is not. */
const ID = /^[\w.:-]{1,128}$/;
const WORD = /^[\w-]{1,32}$/;

class MessageForModelShape {
  /** Puts the name and role that the sender gives itself above its text, inside the fence. @default false */
  sender = flag(false);
}

export interface MessageForModelOptions extends OptionsOf<MessageForModelShape> {}

const FOR_MODEL = { 1: optionsSchema(new MessageForModelShape()) };

/**
 * Returns the text of a message for a model. Text of the user on the canvas is returned unchanged, as the user's turn.
 * All other text is untrusted and therefore fenced; from an answer the boundary markers are removed first. The questions that
 * a message answers come first, in a fence, where its text does not repeat them. Data without a text is JSON. The same
 * message gives the same bytes each time. Add `peerTextInstructions` to the system prompt. See
 * docs/contract/trust-boundary.md#text-for-a-model.
 */
export function messageForModel(
  message: Pick<InboundMessage, 'source' | 'peerId' | 'inReplyTo' | 'text'> &
    Partial<Pick<InboundMessage, 'peerName' | 'peerRole' | 'answers' | 'data'>>,
  options: MessageForModelOptions = {},
): ModelText {
  const problem = argumentProblem('messageForModel', FOR_MODEL, [message, options]);
  if (problem !== null) throw invalidArgument(problem.problem, problem.hint);
  const { sender = false } = options;
  const { source, peerId, inReplyTo } = message;
  const asked = questionLines(message);
  if (source === 'canvas_user') {
    const question = asked === '' ? '' : `${fencePeerText(asked, { origin: 'unknown' })}\n\n`;
    return ownWords(question + wordsOf(message));
  }
  const said = wordsOf(message);
  const text = inReplyTo === '' ? said : stripA2aBoundary(said);
  const above = [sender ? senderLine(message) : '', asked].filter((lines) => lines !== '');
  return fencePeerText([...above, text].join('\n\n'), { origin: peerId });
}

/** Data without a text is shown as JSON. */
function wordsOf({ text, data }: Pick<InboundMessage, 'text'> & Partial<InboundMessage>): string {
  return text === '' && data !== undefined ? JSON.stringify(data) : text;
}

/** What a message answers, where its text does not say so. The questions are the agent's, and may quote others. */
function questionLines({
  text,
  answers = [],
}: Pick<InboundMessage, 'text'> & Partial<InboundMessage>): string {
  const unsaid = answers.filter((asked) => asked.text !== '' && !text.includes(asked.text));
  return unsaid
    .map(({ text: question, decision, answer: words }) => {
      const answer = [decision ?? '', words === text ? '' : words].filter((part) => part !== '').join(': ');
      return answer === '' ? `Question: ${question}` : `Question: ${question}\nAnswer: ${answer}`;
    })
    .join('\n');
}

function senderLine({ peerName = '', peerRole = '' }: Partial<InboundMessage>): string {
  const name = lineForModel(peerName) || 'unnamed';
  const role = lineForModel(peerRole);
  return role === '' ? `Sender: ${name}` : `Sender: ${name}, ${role}`;
}

/**
 * Describes peers for a model, for example in the description of a tool that calls them: a numbered list of ids, and
 * below it, in one fence, what each peer says of itself, one JSON line per peer with its number. Names and roles are cut
 * at 200 characters, descriptions at 1 000, skills at 20. Peers whose id is not one are left out. The same peers give the
 * same bytes. Add `peerTextInstructions` to the system prompt. See docs/contract/trust-boundary.md#text-for-a-model.
 */
export function peersForModel(
  peers: readonly Pick<PeerInfo, 'id' | 'name' | 'role' | 'status' | 'agentCard'>[],
): ModelText {
  const listed = peers.filter(({ id }) => isShownId(id));
  if (listed.length === 0) return ownWords('There are no peers.');
  const ids = listed.map(({ id, status }, index) => {
    return `${index + 1}. ${id}${isShownWord(status) ? ` (${status})` : ''}`;
  });
  const descriptions = listed.map((peer, index) => `${index + 1}. ${JSON.stringify(describe(peer))}`);
  const fenced = fencePeerText(descriptions.join('\n'), { origin: 'unknown' });
  return ownWords(
    `Peers, by number and id:\n${ids.join('\n')}\nWhat they say of themselves, by the same numbers:\n${fenced}`,
  );
}

function describe({ name, role, agentCard }: Pick<PeerInfo, 'name' | 'role' | 'agentCard'>): object {
  const { description, skills } = agentCard;
  const skillNames = (Array.isArray(skills) ? skills : [])
    .slice(0, MAX_SKILLS)
    .map((skill: unknown) => (typeof skill === 'string' || isJsonObject(skill) ? skillName(skill) : ''))
    .map((skill) => lineForModel(skill))
    .filter((skill) => skill !== '');
  const described = {
    name: lineForModel(name),
    role: lineForModel(role),
    description: descriptionForModel(description),
    skills: skillNames,
  };
  return Object.fromEntries(Object.entries(described).filter(([, value]) => value.length > 0));
}

/** The text in one line of at most `maxLength` characters, the default for a name; `''` for anything but a string. */
export function lineForModel(text: unknown, maxLength: number = MAX_NAME_LENGTH): string {
  if (typeof text !== 'string') return '';
  const line = text
    .slice(0, 4 * maxLength)
    .replace(/\s+/g, ' ')
    .trim();
  return line.length <= maxLength ? line : `${line.slice(0, maxLength - 1)}…`;
}

/** A description in one line. */
export function descriptionForModel(text: unknown): string {
  return lineForModel(text, MAX_DESCRIPTION_LENGTH);
}

/** What is shown to a model outside of a fence can be no sentence. */
export function isShownId(id: string): boolean {
  return ID.test(id);
}

/** As {@link isShownId}, for states and the like. */
export function isShownWord(word: string): boolean {
  return WORD.test(word);
}
