import {
  type CallPeerOptions,
  MoleculeError,
  type PeerClient,
  type PeerReply,
  type PeerReplyStatus,
  peerTextInstructions,
  plainPeerText,
} from '@molecule-ai/core';
import { type PeerCall, shape } from '@molecule-ai/core/adapter-kit';
import { APICallError, type LanguageModel } from 'ai';

/** A language model of specification v3, which versions 6 and 7 of the AI SDK accept. */
export type PeerLanguageModel = Extract<LanguageModel, { readonly specificationVersion: 'v3' }>;
export type ModelCall = Parameters<PeerLanguageModel['doGenerate']>[0];
export type ModelResult = Awaited<ReturnType<PeerLanguageModel['doGenerate']>>;
type Warning = ModelResult['warnings'][number];
type PromptMessage = ModelCall['prompt'][number];

const MAX_ANSWERS = 20;
const MAX_QUESTION_LENGTH = 2_000;
/** What decides how a model generates. A peer decides that itself. */
const SETTINGS = [
  'maxOutputTokens',
  'temperature',
  'topP',
  'topK',
  'presencePenalty',
  'frequencyPenalty',
  'stopSequences',
  'seed',
] as const;

class PeerModelCallShape {
  /** Continues this conversation with the peer. */
  contextId = shape.nonBlank();
  /** Names the conversation of the application, a chat for example: its calls to one peer are one conversation with that peer. */
  conversationId = shape.nonBlank();
  /**
   * Of an earlier call with the same prompt, which is sent with this id again: the platform has it already, and the result is what came of it.
   * An unknown id is that of a new message; with another prompt the call fails as a conflict.
   */
  messageId = shape.nonBlank();
  /** Answers to questions of kind `text` of the peer. One without a text has the text of the prompt. */
  answers = shape.option<{ questionId: string; text?: string | undefined }[] | undefined>(
    (answers, refuse) => {
      const isRight =
        answers === undefined ||
        (Array.isArray(answers) &&
          answers.length > 0 &&
          answers.length <= MAX_ANSWERS &&
          answers.every(isAnswer));
      return isRight
        ? answers
        : refuse(
            `must be 1 to ${MAX_ANSWERS} { questionId, text? }`,
            'Answer the questions of `providerMetadata.molecule`.',
          );
    },
  );
}

function isAnswer(answer: unknown): boolean {
  const { questionId, text } = Object(answer);
  const isText = (value: unknown): boolean => typeof value === 'string' && value.trim() !== '';
  return isText(questionId) && (text === undefined || isText(text));
}

/** `providerOptions.molecule` of a call. */
export type PeerModelCallOptions = shape.OptionsOf<PeerModelCallShape>;

const CALL_OPTIONS = shape.optionsSchema(new PeerModelCallShape());

/** `providerMetadata.molecule` of a result and of its text, as plain JSON. The text beside it is a peer's, as `questions` are. */
export type PeerModelMetadata = {
  untrusted: true;
  /** The id of the peer. */
  origin: string;
  messageId: string;
  contextId: string;
  status: PeerReplyStatus;
  /** How many characters of the peer are not in the text. */
  omitted?: number;
  /** What the peer asks before it continues; texts are cut at 2 000. */
  questions?: { id: string; kind: string; from: string; text: string }[];
};

/** What a prompt asks a peer. */
export interface PeerAsk extends Pick<PeerModelCallOptions, 'contextId' | 'conversationId' | 'messageId'> {
  readonly text: string;
  readonly show: 'text' | 'json';
  readonly answers: CallPeerOptions['answers'];
  /** The conversation with this peer that the prompt names last. */
  readonly promptContextId: string | undefined;
  /** @param contextId the conversation in which it is asked */
  warnings(contextId: string): Warning[];
}

/** @throws MoleculeError `invalid_argument` for a prompt without a text of the user, and for wrong `providerOptions.molecule`. */
export function askIn(call: ModelCall, peerId: string): PeerAsk {
  const { molecule = {} } = call.providerOptions ?? {};
  const given = shape.parseArgument('providerOptions.molecule', CALL_OPTIONS, molecule);
  const { prompt, responseFormat } = call;
  const asked = prompt.findLastIndex(({ role }) => role === 'user');
  const text = asked === -1 ? '' : textOf(prompt[asked]).join('\n');
  if (text.trim() === '') {
    throw new MoleculeError('The prompt has no text of a user.', {
      code: 'invalid_argument',
      hint: 'The last message of the user is what a peer is asked.',
    });
  }
  const isJson = responseFormat?.type === 'json';
  return {
    ...given,
    text: isJson ? `${text}\n\n${jsonInstruction(responseFormat)}` : text,
    show: isJson ? 'json' : 'text',
    answers: given.answers,
    promptContextId: prompt.flatMap((message) => contextIdsOf(message, peerId)).at(-1),
    warnings: (contextId) =>
      warningsOf(call, asked, (message) => contextIdsOf(message, peerId).includes(contextId)),
  };
}

function jsonInstruction(format: Extract<ModelCall['responseFormat'], { type: 'json' }>): string {
  const { description, schema } = format;
  return [
    'Answer with JSON only: no other words, and no code block.',
    ...(description === undefined ? [] : [`It is: ${description}`]),
    ...(schema === undefined ? [] : [`It must be valid by this JSON Schema: ${JSON.stringify(schema)}`]),
  ].join('\n');
}

function textOf(message: PromptMessage | undefined): string[] {
  if (message === undefined || typeof message.content === 'string') return [];
  return message.content.flatMap((part) => (part.type === 'text' ? [part.text] : []));
}

/** The conversations with this peer that a message names. Anything may be stored in a chat. */
function contextIdsOf(message: PromptMessage, peerId: string): string[] {
  if (message.role !== 'assistant') return [];
  return [message, ...message.content].flatMap(({ providerOptions }) => {
    const { origin, contextId } = providerOptions?.molecule ?? {};
    const isOwn = typeof origin === 'string' && origin.toLowerCase() === peerId.toLowerCase();
    return isOwn && typeof contextId === 'string' && contextId.trim() !== '' ? [contextId] : [];
  });
}

function warningsOf(
  call: ModelCall,
  asked: number,
  isOfPeer: (message: PromptMessage) => boolean,
): Warning[] {
  const { prompt, tools = [], toolChoice, headers = {} } = call;
  const isKnown = ({ role }: PromptMessage, at: number) => {
    // What the peer has answered is in its own conversation.
    const answer = prompt[role === 'user' ? at + 1 : at];
    return role === 'system' || at === asked || (answer !== undefined && isOfPeer(answer));
  };
  // Those of the middleware alone are not of the application.
  const isInstruction = ({ role, content }: PromptMessage) =>
    role === 'system' && content !== peerTextInstructions;
  const others = Object.keys(headers).filter((name) => name.toLowerCase() !== 'user-agent');
  const reasoning: unknown = Reflect.get(call, 'reasoning');
  const isForced = toolChoice?.type === 'required' || toolChoice?.type === 'tool';
  const found: [feature: string, isUsed: boolean, details: string][] = [
    ['system', prompt.some(isInstruction), 'A peer has instructions of its own.'],
    ['history', !prompt.every(isKnown), 'A peer gets the last message of the user.'],
    ['files', hasFiles(prompt[asked]), 'A peer gets text only.'],
    ['tools', tools.length > 0, 'A peer has tools of its own.'],
    ['toolChoice', isForced, 'A peer has tools of its own.'],
    ...SETTINGS.map((name): [string, boolean, string] => [name, call[name] !== undefined, OWN_SETTINGS]),
    ['reasoning', reasoning !== undefined && reasoning !== 'provider-default', OWN_SETTINGS],
    ['headers', others.length > 0, 'The client of the agent sends the message.'],
  ];
  return found.flatMap(([feature, isUsed, details]) =>
    isUsed ? [{ type: 'unsupported', feature, details }] : [],
  );
}

const OWN_SETTINGS = 'A peer has settings of its own.';

function hasFiles(message: PromptMessage | undefined): boolean {
  return message?.role === 'user' && message.content.some(({ type }) => type === 'file');
}

/** @param reply `undefined` for a text that has begun */
export function metadataOf(call: PeerCall, reply?: PeerReply, omitted = 0): PeerModelMetadata {
  const questions = (reply?.questions ?? []).map(({ id, kind, from, text }) => {
    return { id, kind, from, text: cut(plainPeerText(text)) };
  });
  return {
    untrusted: true,
    origin: call.peerId.toLowerCase(),
    messageId: call.messageId,
    contextId: reply?.contextId || call.contextId,
    status: reply?.status ?? 'queued',
    ...(omitted > 0 ? { omitted } : {}),
    ...(questions.length > 0 ? { questions } : {}),
  };
}

export function finishReasonOf({ status }: PeerReply, omitted: number): ModelResult['finishReason'] {
  if (status === 'input-required') return { unified: 'other', raw: status };
  return { unified: omitted > 0 ? 'length' : 'stop', raw: status };
}

/** Without half of a surrogate pair at the end. */
function cut(text: string): string {
  return text.slice(0, MAX_QUESTION_LENGTH).replace(/[\ud800-\udbff]$/, '');
}

/** `data` of an `APICallError`, as plain JSON. */
export type PeerModelErrorData = {
  /** `error` when the call itself failed, else what became of the message. */
  status: PeerReplyStatus | 'error';
  /** Of a message that failed, the agent may have chosen it. */
  code: string | null;
  /** What to do about it. */
  hint: string | null;
  messageId: string;
  contextId: string;
};

/** The error for a message that has ended, or has not in time, without an answer; `undefined` for any other. */
export function errorOfReply(
  { status, isHeld, code }: PeerReply,
  call: PeerCall,
  client: Platform,
): APICallError | undefined {
  const { peerId, messageId } = call;
  if (status === 'queued') {
    const message = `The peer ${peerId} ${isHeld ? 'is paused, and gets the message when it is resumed.' : 'has not answered yet.'}`;
    const hint = `The same call again, or one with this prompt and providerOptions: { molecule: { messageId: '${messageId}' } }, waits for the answer and sends no second message.`;
    const cause = new MoleculeError(message, { code: 'timed_out', isRetryable: true, hint });
    return apiError(call, client, { message, status, code: cause.code, hint, cause });
  }
  const happened = ENDS[status];
  if (happened === undefined) return undefined;
  const hint = `client.getMessage('${messageId}') returns what is known of it.`;
  return apiError(call, client, { message: `The peer ${peerId} ${happened}.`, status, code, hint });
}

const ENDS: Readonly<Partial<Record<PeerReplyStatus, string>>> = {
  failed: 'failed to handle the message',
  canceled: 'did not handle the message, which was canceled',
  expired: 'did not handle the message in time',
};

/** What the model throws for what the client threw. Only what certainly did not reach the peer may be repeated by the SDK. */
export function modelError(error: unknown, call: PeerCall, client: Platform): unknown {
  if (call.isAborted) return error;
  if (!MoleculeError.isInstance(error) || error.code === 'invalid_argument') return error;
  const { message, code, retryAfterMs, isRetryable } = error;
  const status: unknown = Reflect.get(error, 'status');
  const hint = code === 'conflict' ? OTHER_PROMPT : (error.hint ?? null);
  return apiError(call, client, {
    message,
    status: 'error',
    code,
    hint,
    cause: error,
    isRetryable: isRetryable && !call.mayHaveArrived(error),
    ...(typeof status === 'number' ? { statusCode: status } : {}),
    ...(retryAfterMs === undefined ? {} : { responseHeaders: { 'retry-after-ms': String(retryAfterMs) } }),
  });
}

const OTHER_PROMPT =
  'The message with this `messageId` had another prompt, or was in another conversation. Call with the prompt of that message, or without `messageId`.';

type Platform = Pick<PeerClient, 'platformUrl'>;

type Failure = Pick<PeerModelErrorData, 'status' | 'code' | 'hint'> &
  Omit<ConstructorParameters<typeof APICallError>[0], 'url' | 'requestBodyValues' | 'data'>;

function apiError(
  { peerId, messageId, contextId }: PeerCall,
  client: Platform,
  failure: Failure,
): APICallError {
  const { status, code, hint, isRetryable = false, ...rest } = failure;
  const data: PeerModelErrorData = { status, code, hint, messageId, contextId };
  return new APICallError({
    ...rest,
    url: new URL(client.platformUrl).origin,
    requestBodyValues: { peerId, messageId, contextId },
    isRetryable,
    data,
  });
}
