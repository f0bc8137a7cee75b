import {
  type CallPeerOptions,
  currentMessage,
  MoleculeError,
  type PeerClient,
  type PeerReply,
} from '@molecule-ai/core';
import {
  clientProblem,
  contextIdOfThread,
  handlerSignal,
  knownOptions,
  messageIdOfCall,
  optionsProblem,
  peerIdProblem,
  type RepeatableCall,
  RepeatedCalls,
  rememberPeerText,
  ShownWords,
} from '@molecule-ai/core/tools';
import { NoSuchModelError } from 'ai';
import { errorOfReply, modelError, type SentMessage } from './model-errors.ts';
import {
  askIn,
  finishReasonOf,
  type ModelCall,
  type ModelResult,
  metadataOf,
  type PeerAsk,
  type PeerLanguageModel,
  type PeerModelMetadata,
} from './peer-model.ts';

type StreamResult = Awaited<ReturnType<PeerLanguageModel['doStream']>>;
type StreamPart = StreamResult['stream'] extends ReadableStream<infer Part> ? Part : never;

const DEFAULT_TIMEOUT_MS = 120_000;
const DEFAULT_MAX_MODEL_CHARS = 32_000;
const MIN_TIMEOUT_MS = 2_000;
/** The one text of a result. */
const TEXT_ID = '0';
const NO_USAGE: ModelResult['usage'] = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};

/** Options of {@link createMolecule}. */
export interface MoleculeOptions {
  /** The client of an agent. */
  client: PeerClient;
  /**
   * How long to wait for an answer, in milliseconds, 2 000 or more; then the call fails, and a repeat of it waits on. Of a call without a stream up to
   * 5 s are for the response: under 25 000 a fifth, to the whole second.
   * @default 120_000; of a stream, as long as the peer goes on
   */
  timeoutMs?: number | undefined;
  /** At most so many characters of a peer in one result, 1 or more; the sentence that the rest is cut comes on top. @default 32_000 */
  maxModelChars?: number | undefined;
}

/** Peers as language models. It may be given to `createProviderRegistry` and `customProvider`. */
export interface MoleculeProvider {
  /** The same as `languageModel`. */
  (peerId: string): PeerLanguageModel;
  readonly specificationVersion: 'v3';
  /** @throws NoSuchModelError unless it is the id of a workspace. */
  languageModel(peerId: string): PeerLanguageModel;
  /** @throws NoSuchModelError always. */
  embeddingModel(modelId: string): never;
  /** @throws NoSuchModelError always. */
  imageModel(modelId: string): never;
}

const OPTIONS = knownOptions<MoleculeOptions>({ client: true, timeoutMs: true, maxModelChars: true });

/**
 * Peers as language models: `molecule('<id of the peer>')` is one. The peer gets the last user message of the prompt; what it answers is the
 * text of the result, without markers and not fenced, and marked as untrusted in `providerMetadata.molecule`.
 * @throws MoleculeError `invalid_argument` for wrong options.
 *
 * @example
 * const molecule = createMolecule({ client });
 * const { text } = await generateText({ model: molecule(labId), prompt: 'Can we ship?' });
 */
export function createMolecule(options: MoleculeOptions): MoleculeProvider {
  const problem =
    optionsProblem(
      options,
      {
        timeoutMs: { min: MIN_TIMEOUT_MS, isInteger: true },
        maxModelChars: { min: 1, isInteger: true },
      },
      'createMolecule',
      OPTIONS,
    ) ?? clientProblem(options.client, ['callPeer', 'streamPeer']);
  if (problem !== null) throw new MoleculeError(problem, { code: 'invalid_argument' });
  const calls = new RepeatedCalls(options.client);
  const none = (modelType: 'embeddingModel' | 'imageModel') => (modelId: string) => {
    throw new NoSuchModelError({ modelId, modelType, message: 'Peers are language models only.' });
  };
  const languageModel = (peerId: string): PeerLanguageModel => {
    const wrong = peerIdProblem(peerId);
    if (wrong !== null) {
      throw new NoSuchModelError({ modelId: String(peerId), modelType: 'languageModel', message: wrong });
    }
    const peer = new AskedPeer(peerId, { ...options, calls });
    return {
      specificationVersion: 'v3',
      provider: 'molecule',
      modelId: peerId,
      // The SDK downloads what a model does not take by URL, and no peer gets files.
      supportedUrls: { '*/*': [/.*/] },
      // AI SDK 7.0.0 calls them as methods of a proxy, which has no private members.
      doGenerate: (call) => peer.doGenerate(call),
      doStream: (call) => peer.doStream(call),
    };
  };
  return Object.assign((peerId: string) => languageModel(peerId), {
    specificationVersion: 'v3' as const,
    languageModel,
    embeddingModel: none('embeddingModel'),
    imageModel: none('imageModel'),
  });
}

interface ModelOptions extends MoleculeOptions {
  /** Of all models of a provider: one is often made for each call. */
  readonly calls: RepeatedCalls;
}

interface PeerCall extends RepeatableCall, SentMessage {
  readonly ask: PeerAsk;
  readonly messageId: string;
  readonly sendOptions: Pick<CallPeerOptions, 'messageId' | 'contextId' | 'answers' | 'signal'>;
  /** Any of them ends the call, which then rejects with its reason. */
  readonly endings: readonly (AbortSignal | undefined)[];
}

class AskedPeer {
  readonly #peerId: string;
  readonly #options: ModelOptions;
  readonly #maxChars: number;

  constructor(peerId: string, options: ModelOptions) {
    this.#peerId = peerId;
    this.#options = options;
    this.#maxChars = options.maxModelChars ?? DEFAULT_MAX_MODEL_CHARS;
  }

  async doGenerate(options: ModelCall): Promise<ModelResult> {
    const { client, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    const call = this.#begin(options, options.abortSignal);
    const { ask, sendOptions } = call;
    const reply = await this.#run(call, () =>
      client.callPeer(this.#peerId, ask.text, { ...sendOptions, timeoutMs }),
    );
    this.#requireAnswer(call, reply);
    const words = new ShownWords({ isJson: ask.isJson, maxChars: this.#maxChars });
    const { omitted } = words.end(reply);
    const { text } = words;
    this.#remember(text, ask);
    const providerMetadata = { molecule: metadataOf(call, reply, omitted) };
    return {
      content: text === '' ? [] : [{ type: 'text', text, providerMetadata }],
      finishReason: finishReasonOf(reply, omitted),
      usage: NO_USAGE,
      providerMetadata,
      response: this.#responseOf(call),
      warnings: ask.warnings,
    };
  }

  /** Resolves with the first words of the peer. What fails before rejects, so that the SDK repeats what it may. */
  async doStream({ abortSignal, ...options }: ModelCall): Promise<StreamResult> {
    const aborter = new AbortController();
    const call = this.#begin(options, aborter.signal);
    const follow = () => aborter.abort(abortSignal?.reason);
    if (abortSignal?.aborted === true) follow();
    abortSignal?.addEventListener('abort', follow, { once: true });
    const parts = this.#parts(call, () => abortSignal?.removeEventListener('abort', follow));
    let first: IteratorResult<StreamPart, void> | undefined = await parts.next();
    const stream = new ReadableStream<StreamPart>(
      {
        pull: async (to) => {
          const next = first ?? (await parts.next());
          first = undefined;
          if (next.done !== true) to.enqueue(next.value);
          // Not every reader asks for more after that.
          if (next.done === true || next.value.type === 'finish') {
            await parts.return();
            to.close();
          }
        },
        cancel: async (reason) => {
          aborter.abort(reason);
          await parts.return().catch(() => {});
        },
      },
      { highWaterMark: 0 },
    );
    return { stream };
  }

  async *#parts(call: PeerCall, onEnd: () => void): AsyncGenerator<StreamPart, void, undefined> {
    const { client, timeoutMs } = this.#options;
    const { ask, sendOptions } = call;
    const words = new ShownWords({ isJson: ask.isJson, maxChars: this.#maxChars });
    const begun = metadataOf(call);
    let pieces: AsyncIterator<string, PeerReply, undefined> | undefined;
    let hasBegun = false;
    try {
      const answer = client.streamPeer(this.#peerId, ask.text, { ...sendOptions, timeoutMs });
      const reading = answer[Symbol.asyncIterator]();
      pieces = reading;
      const read = () => this.#run(call, () => reading.next());
      let next = await read();
      if (next.done === true) this.#requireAnswer(call, next.value);
      hasBegun = true;
      yield { type: 'stream-start', warnings: ask.warnings };
      yield { type: 'response-metadata', ...this.#responseOf(call) };
      for (; next.done !== true; next = await read()) yield* textParts(words, words.push(next.value), begun);
      const reply = next.value;
      this.#requireAnswer(call, reply);
      const { delta, omitted } = words.end(reply);
      yield* textParts(words, delta, begun);
      const providerMetadata = { molecule: metadataOf(call, reply, omitted) };
      if (words.text !== '') yield { type: 'text-end', id: TEXT_ID, providerMetadata };
      yield {
        type: 'finish',
        finishReason: finishReasonOf(reply, omitted),
        usage: NO_USAGE,
        providerMetadata,
      };
    } catch (error) {
      if (!hasBegun || isAborted(call)) throw error;
      if (words.text !== '') yield { type: 'text-end', id: TEXT_ID };
      yield { type: 'error', error };
      yield { type: 'finish', finishReason: { unified: 'error', raw: undefined }, usage: NO_USAGE };
    } finally {
      onEnd();
      this.#remember(words.text, ask);
      await pieces?.return?.();
    }
  }

  #begin(options: ModelCall, signal: AbortSignal | undefined): PeerCall {
    const { client, calls } = this.#options;
    const peerId = this.#peerId;
    const ask = askIn(options, { client, peerId });
    const { text, answers, contextId: named } = ask;
    const more = (answers ?? []).flatMap(({ questionId, text: answer = '' }) => [questionId, answer]);
    const key = JSON.stringify([peerId.toLowerCase(), currentMessage()?.activityId, named, text, ...more]);
    const asked = { toolName: 'language_model', peerId, text, more };
    const idOf = (turn: number) => messageIdOfCall(client, { callId: JSON.stringify([named, turn]) }, asked);
    const begun = calls.begin(key, { idOf, signal });
    const messageId = ask.messageId ?? begun.messageId;
    const contextId = named ?? contextIdOfThread(client, messageId, peerId);
    // Answers go to where the peer asked, which the platform knows.
    const sentIn = answers === undefined ? contextId : undefined;
    const sendOptions = { messageId, contextId: sentIn, answers, signal };
    const endings = [signal, handlerSignal()];
    return { ...begun, ask, client, peerId, messageId, contextId, sendOptions, endings };
  }

  async #run<T>(call: PeerCall, work: () => Promise<T>): Promise<T> {
    try {
      return await this.#options.calls.run(call, work);
    } catch (error) {
      throw isAborted(call) ? error : modelError(error, call);
    }
  }

  /** @throws APICallError for a message that has no answer; where it may still come, the call may be repeated. */
  #requireAnswer(call: PeerCall, reply: PeerReply): void {
    const error = errorOfReply(reply, call);
    if (error === undefined) return;
    if (reply.status === 'queued') this.#options.calls.keep(call);
    throw error;
  }

  /** Not what it repeats: the application and its users write these words as well. */
  #remember(text: string, { ownTexts }: PeerAsk): void {
    const words = text.trim();
    if (!ownTexts.some((own) => own.trim() === words)) rememberPeerText(text, this.#peerId);
  }

  #responseOf({ messageId }: PeerCall): NonNullable<ModelResult['response']> {
    return { id: messageId, modelId: this.#peerId, timestamp: new Date(this.#options.client.clock.now()) };
  }
}

function isAborted({ endings }: PeerCall): boolean {
  return endings.some((signal) => signal?.aborted === true);
}

/** The next piece of the text that is shown; before the first one, its beginning. */
function* textParts(words: ShownWords, delta: string, begun: PeerModelMetadata): Generator<StreamPart> {
  if (delta === '') return;
  if (words.text === delta) yield { type: 'text-start', id: TEXT_ID, providerMetadata: { molecule: begun } };
  yield { type: 'text-delta', id: TEXT_ID, delta };
}
