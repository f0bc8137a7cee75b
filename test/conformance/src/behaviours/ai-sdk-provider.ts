import { behaviours } from './behaviour.ts';

const PAGE = 'docs/decisions/0114-ai-sdk-provider.md';

/** Peers as language models of the AI SDK. */
export const AI_SDK_PROVIDER = behaviours({
  'ai-sdk.provider-asks': [
    'A peer is a language model: it gets the last message of the user, and its text comes without markers, marked as untrusted in the result and in the messages of the response.',
    `${PAGE}#result`,
  ],
  'ai-sdk.provider-specification': [
    'The model has specification v3, which AI SDK 6 and 7 accept, and the provider works in registries and custom providers; other kinds of models do not exist (vercel/ai#18179).',
    `${PAGE}#specification`,
  ],
  'ai-sdk.provider-warnings': [
    'What a peer does not get is warned about as unsupported: history, system prompt, files, tools and settings; a conversation that is continued is not warned about.',
    `${PAGE}#prompt`,
  ],
  'ai-sdk.provider-conversation': [
    'A call continues the conversation that its options name, else that of the peer in its prompt, else that of the handled message.',
    `${PAGE}#conversation`,
  ],
  'ai-sdk.provider-output': [
    'Output.object works on a peer: the schema is part of the text, and the JSON comes from its data, its text or a code block in it.',
    `${PAGE}#output`,
  ],
  'ai-sdk.provider-streams': [
    'A stream has its parts in order and the deltas as they come; a message that fails in the middle gives an error part.',
    `${PAGE}#streams`,
  ],
  'ai-sdk.provider-abort': [
    'An abort, also by cancelling the stream, also twice, rejects with its reason and cancels the message of the peer; nothing stays open.',
    `${PAGE}#streams`,
  ],
  'ai-sdk.provider-ends': [
    'An end without an answer, and a call that fails, is an APICallError with the origin of the platform, with code, status and hint as data, and without words of the peer.',
    `${PAGE}#errors`,
  ],
  'ai-sdk.provider-once': [
    'Retries of the SDK and repeats by the application or the handling of a message reach the peer once; only what was certainly not delivered is retryable.',
    `${PAGE}#repeats`,
  ],
  'ai-sdk.provider-questions': [
    'A question of a peer is a result with the finish reason other, and providerOptions.molecule answers it.',
    `${PAGE}#questions`,
  ],
  'ai-sdk.provider-cut': [
    'A text longer than maxModelChars is cut with a note and the finish reason length, whole and streamed alike.',
    `${PAGE}#result`,
  ],
  'ai-sdk.provider-options': [
    'Wrong options and prompts without a text of the user are refused before anything is sent.',
    `${PAGE}#options`,
  ],
});
