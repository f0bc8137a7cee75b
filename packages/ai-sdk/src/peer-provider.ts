import { MoleculeError, type PeerClient, type PeerReply } from '@molecule-ai/core';
import {
  clientPort,
  clientProblem,
  type PeerCall,
  PeerCalls,
  peerIdProblem,
  shape,
} from '@molecule-ai/core/adapter-kit';
import { NoSuchModelError } from 'ai';
import {
  askIn,
  errorOfReply,
  finishReasonOf,
  type ModelCall,
  type ModelResult,
  metadataOf,
  modelError,
  type PeerAsk,
  type PeerLanguageModel,
} from './peer-model.ts';

type StreamResult = Awaited<ReturnType<PeerLanguageModel['doStream']>>;
type StreamPart = StreamResult['stream'] extends ReadableStream<infer Part> ? Part : never;

/** The one text of a result. */
const TEXT_ID = '0';
const NO_USAGE: ModelResult['usage'] = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};

class MoleculeShape {
  /** The client of an agent. */
  client = shape.given<PeerClient>();
  /**
   * How long to wait for an answer, in milliseconds, 2 000 or more; then the call fails, and a repeat of it waits on. Of a call without a stream up to
   * 5 s are for the response: under 25 000 a fifth, to the whole second.
   * @default 120_000; of a stream, as long as the peer goes on
   */
  timeoutMs = shape.number({ min: 2_000, isInteger: true, byDefault: undefined });
  /**
   * At most so many characters of a peer in one result, 1 or more. If it is cut, the finish reason is `length`, and one more sentence says so.
   * @default 32_000
   */
  maxModelChars = shape.number({ min: 1, isInteger: true, byDefault: undefined });
}

/** Options of {@link createMolecule}. */
export interface MoleculeOptions extends shape.OptionsOf<MoleculeShape> {
  client: PeerClient;
}

const OPTIONS = shape.optionsSchema(new MoleculeShape());

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
  const { timeoutMs, maxModelChars } = shape.parseArgument('createMolecule', OPTIONS, options);
  const { client } = options;
  const problem = clientProblem(client);
  if (problem !== null) throw new MoleculeError(problem, { code: 'invalid_argument' });
  const calls = new PeerCalls({ client, name: 'language_model', timeoutMs, maxModelChars });
  const none = (modelType: 'embeddingModel' | 'imageModel') => (modelId: string) => {
    throw new NoSuchModelError({ modelId, modelType, message: 'Peers are language models only.' });
  };
  const languageModel = (peerId: string): PeerLanguageModel => {
    const wrong = peerIdProblem(peerId);
    if (wrong !== null) {
      throw new NoSuchModelError({ modelId: String(peerId), modelType: 'languageModel', message: wrong });
    }
    const peer = new AskedPeer(peerId, client, calls);
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

class AskedPeer {
  readonly #peerId: string;
  readonly #client: PeerClient;
  readonly #calls: PeerCalls;

  /** @param calls of all models of a provider: one is often made for each call */
  constructor(peerId: string, client: PeerClient, calls: PeerCalls) {
    this.#peerId = peerId;
    this.#client = client;
    this.#calls = calls;
  }

  async doGenerate(options: ModelCall): Promise<ModelResult> {
    const { ask, call } = this.#begin(options, options.abortSignal);
    const { reply, rest: text, omitted } = await this.#run(call, () => call.answer());
    this.#requireAnswer(call, reply);
    const providerMetadata = { molecule: metadataOf(call, reply, omitted) };
    return {
      content: text === '' ? [] : [{ type: 'text', text, providerMetadata }],
      finishReason: finishReasonOf(reply, omitted),
      usage: NO_USAGE,
      providerMetadata,
      response: this.#responseOf(call),
      warnings: ask.warnings(call.contextId),
    };
  }

  /** Resolves with the first words of the peer. What fails before rejects, so that the SDK repeats what it may. */
  async doStream({ abortSignal, ...options }: ModelCall): Promise<StreamResult> {
    const aborter = new AbortController();
    const begun = this.#begin(options, aborter.signal);
    const follow = () => aborter.abort(abortSignal?.reason);
    if (abortSignal?.aborted === true) follow();
    abortSignal?.addEventListener('abort', follow, { once: true });
    const parts = this.#parts(begun, () => abortSignal?.removeEventListener('abort', follow));
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

  async *#parts({ ask, call }: BegunCall, onEnd: () => void): AsyncGenerator<StreamPart, void, undefined> {
    const pieces = call.read();
    const read = () => this.#run(call, () => pieces.next());
    const begun = { molecule: metadataOf(call) };
    let text = '';
    let hasBegun = false;
    /** The next piece of the text that is shown; before the first one, its beginning. */
    const textParts = (delta: string): StreamPart[] => {
      if (delta === '') return [];
      const isFirst = text === '';
      text += delta;
      const part: StreamPart = { type: 'text-delta', id: TEXT_ID, delta };
      return isFirst ? [{ type: 'text-start', id: TEXT_ID, providerMetadata: begun }, part] : [part];
    };
    try {
      let next = await read();
      if (next.done === true) this.#requireAnswer(call, next.value.reply);
      hasBegun = true;
      yield { type: 'stream-start', warnings: ask.warnings(call.contextId) };
      yield { type: 'response-metadata', ...this.#responseOf(call) };
      for (; next.done !== true; next = await read()) yield* textParts(next.value);
      const { reply, rest, omitted } = next.value;
      this.#requireAnswer(call, reply);
      yield* textParts(rest);
      const providerMetadata = { molecule: metadataOf(call, reply, omitted) };
      if (text !== '') yield { type: 'text-end', id: TEXT_ID, providerMetadata };
      yield {
        type: 'finish',
        finishReason: finishReasonOf(reply, omitted),
        usage: NO_USAGE,
        providerMetadata,
      };
    } catch (error) {
      if (!hasBegun || call.isAborted) throw error;
      if (text !== '') yield { type: 'text-end', id: TEXT_ID };
      yield { type: 'error', error };
      yield { type: 'finish', finishReason: { unified: 'error', raw: undefined }, usage: NO_USAGE };
    } finally {
      onEnd();
      await pieces.return(undefined as never);
    }
  }

  #begin(options: ModelCall, signal: AbortSignal | undefined): BegunCall {
    const ask = askIn(options, this.#peerId);
    return { ask, call: this.#calls.begin(this.#peerId, { ...ask, signal }) };
  }

  async #run<T>(call: PeerCall, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw modelError(error, call, this.#client);
    }
  }

  /** @throws APICallError for a message that has no answer; where it may still come, the call may be repeated. */
  #requireAnswer(call: PeerCall, reply: PeerReply): void {
    const error = errorOfReply(reply, call, this.#client);
    if (error === undefined) return;
    if (reply.status === 'queued') call.keep();
    throw error;
  }

  #responseOf({ messageId }: PeerCall): NonNullable<ModelResult['response']> {
    const { clock } = clientPort(this.#client);
    return { id: messageId, modelId: this.#peerId, timestamp: new Date(clock.now()) };
  }
}

interface BegunCall {
  readonly ask: PeerAsk;
  readonly call: PeerCall;
}
