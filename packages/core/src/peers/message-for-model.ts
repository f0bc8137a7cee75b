import {
  fenceNonceOf,
  fencePeerText,
  type InboundMessage,
  refencePeerText,
  stripA2aBoundary,
} from '@molecule-ai/protocol';
import { checkArgumentNames, knownOptions } from '../settings/known-options.ts';
import { processState } from '../storage/process-state.ts';
import { lineForModel } from './peers-for-model.ts';

const MAX_NAME_LENGTH = 200;

export interface MessageForModelOptions {
  /** Puts the name and role that the sender gives itself above its text, inside the fence. @default false */
  sender?: boolean | undefined;
}

const FOR_MODEL_OPTIONS = knownOptions<MessageForModelOptions>({ sender: true });

/**
 * Returns the text of a message for a model. Text of the user on the canvas is returned unchanged, as the user's turn.
 * All other text is untrusted and therefore fenced; from an answer the boundary markers are removed first. The questions that
 * a message answers come first, in a fence, where its text does not repeat them. The same
 * message object has the same nonce each time. Add `peerTextInstructions` to the system prompt. See
 * docs/contract/trust-boundary.md#text-for-a-model.
 */
export function messageForModel(
  message: Pick<InboundMessage, 'source' | 'peerId' | 'inReplyTo' | 'text'> &
    Partial<Pick<InboundMessage, 'peerName' | 'peerRole' | 'answers'>>,
  options: MessageForModelOptions = {},
): string {
  checkArgumentNames('messageForModel', options, FOR_MODEL_OPTIONS);
  const { sender = false } = options;
  const { source, peerId, inReplyTo } = message;
  const asked = questionLines(message);
  if (source === 'canvas_user') {
    return asked === '' ? message.text : `${fenceOnce(message, asked, '')}\n\n${message.text}`;
  }
  const text = inReplyTo === '' ? message.text : stripA2aBoundary(message.text);
  const above = [sender ? senderLine(message) : '', asked].filter((lines) => lines !== '');
  return fenceOnce(message, [...above, text].join('\n\n'), peerId);
}

/** What a message answers, where its text does not say so. The questions are the agent's, and may quote others. */
function questionLines({
  text,
  answers = [],
}: Pick<InboundMessage, 'text'> & Partial<InboundMessage>): string {
  const unsaid = answers.filter(({ question }) => question !== '' && !text.includes(question));
  return unsaid
    .map(({ question, decision, text: words }) => {
      const answer = [decision ?? '', words === text ? '' : words].filter((part) => part !== '').join(': ');
      return answer === '' ? `Question: ${question}` : `Question: ${question}\nAnswer: ${answer}`;
    })
    .join('\n');
}

function senderLine({ peerName = '', peerRole = '' }: Partial<InboundMessage>): string {
  const name = lineForModel(peerName, MAX_NAME_LENGTH) || 'unnamed';
  const role = lineForModel(peerRole, MAX_NAME_LENGTH);
  return role === '' ? `Sender: ${name}` : `Sender: ${name}, ${role}`;
}

function fenceOnce(message: object, text: string, origin: string): string {
  const nonces = processState('message-nonces', () => new WeakMap<object, string>());
  const nonce = nonces.get(message);
  if (nonce !== undefined) return refencePeerText(text, { origin, nonce });
  const fenced = fencePeerText(text, { origin });
  nonces.set(message, fenceNonceOf(fenced) ?? '');
  return fenced;
}
