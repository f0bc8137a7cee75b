import {
  type CallOptions,
  type CallPeerOptions,
  type MessageContent,
  MoleculeError,
  type PeerClient,
  type PeerInfo,
  type PeerReply,
  type PeerStream,
  type RemoteAgent,
  type Skill,
  type SkillHandler,
  type SkillRequest,
} from '@molecule-ai/core';
import {
  type DefaultPeerToolNames,
  type PeerToolList,
  type PeerToolName,
  type PeerToolsOptions,
  peerTools,
  repeatableCallOptions,
  shape,
} from '@molecule-ai/core/adapter-kit';
import { Observable } from 'rxjs';
import { endError } from './reply-errors.ts';

/** What the schema of an answer returns. */
type ReplyDataOf<Output> = Extract<
  Awaited<ReturnType<Skill<unknown, Output>['output']['check']>>,
  { readonly data: unknown }
>['data'];

/**
 * What an application does with its organisation, besides answering messages. Inject it by its class, for an agent with a name by
 * `InjectMolecule`.
 *
 * In a method that handles a message, what is sent to a peer belongs to one conversation with this peer, which all messages of the
 * handled conversation continue; and when the message is tried again, the same call sends the same message. Elsewhere each call is a
 * conversation of its own. `contextId` and `messageId` choose others. Wrong options are a MoleculeError `invalid_argument`.
 */
export class MoleculeService {
  readonly agent: RemoteAgent;
  /** For everything else: `waitForAnswer`, tokens, the feed. */
  readonly client: PeerClient;

  constructor(agent: RemoteAgent, client: PeerClient) {
    this.agent = agent;
    this.client = client;
  }

  /** The workspaces this agent may communicate with. Names, roles and cards are untrusted: a model gets them by `peersForModel`. */
  async peers(options: CallOptions = {}): Promise<PeerInfo[]> {
    checkOptions(options);
    return this.client.getPeers(options);
  }

  /**
   * Sends a message to a peer and waits for the answer. A model gets it by `reply.forModel()`.
   * @throws AccessDeniedError when the hierarchy does not allow it; TimeoutError, ConnectionError.
   */
  async call(peerId: string, content: string | MessageContent, options?: CallPeerOptions): Promise<PeerReply>;
  /** Asks a skill with data that fits it: `reply.data` is what its definition returns. */
  async call<Input, Output>(
    peerId: string,
    skill: Skill<Input, Output>,
    data: SkillRequest<Input, Output>['data'],
    options?: CallPeerOptions,
  ): Promise<PeerReply<ReplyDataOf<Output>>>;
  async call(
    peerId: string,
    given: string | MessageContent | SkillHandler['skill'],
    ...rest: unknown[]
  ): Promise<unknown> {
    const skill =
      typeof Object(given).input?.check === 'function' ? (given as SkillHandler['skill']) : undefined;
    const [data, options = {}] = skill === undefined ? [undefined, rest[0]] : rest;
    const content = skill === undefined ? (given as string | MessageContent) : ({ skill, data } as object);
    const continued = this.#continued('call', peerId, content, options as CallPeerOptions);
    return this.client.callPeer(peerId, content, continued);
  }

  /**
   * The answer of a peer while it is made: iterate it for the pieces of the text, `reply()` returns the whole. Sent at once. Leaving the loop
   * cancels nothing.
   * @throws MoleculeError `invalid_argument`; all other errors come with the iteration.
   */
  stream(peerId: string, content: string | MessageContent, options: CallPeerOptions = {}): PeerStream {
    const continued = this.#continued('stream', peerId, content, options);
    return this.client.streamPeer(peerId, content, continued);
  }

  /**
   * The same as an `Observable` of the pieces, for endpoints and operators. Each subscription sends a message; to unsubscribe before the end
   * cancels it. An answer that does not come to its end is an error, with the code of the peer's failure in `details`.
   */
  observe(
    peerId: string,
    content: string | MessageContent,
    options: CallPeerOptions = {},
  ): Observable<string> {
    return new Observable((subscriber) => {
      checkOptions(options);
      const left = new AbortController();
      const signal =
        options.signal === undefined ? left.signal : AbortSignal.any([left.signal, options.signal]);
      const read = async (): Promise<void> => {
        const stream = this.stream(peerId, content, { ...options, signal });
        for await (const piece of stream) subscriber.next(piece);
        const error = endError(await stream.reply());
        if (error !== null) throw error;
        subscriber.complete();
      };
      read().catch((error: unknown) => subscriber.error(error));
      return () => left.abort();
    });
  }

  /**
   * Sends a message to a peer and resolves when the platform has stored it. The answer goes to `@OnAnswer()`, or is read by
   * `client.waitForAnswer(messageId)`.
   */
  async send(
    peerId: string,
    content: string | MessageContent,
    options: CallPeerOptions = {},
  ): Promise<PeerReply> {
    const continued = this.#continued('send', peerId, content, options);
    return this.client.sendToPeer(peerId, content, continued);
  }

  /** Shows a text to the person on the canvas of the agent. */
  async notify(
    text: string,
    options: Parameters<PeerClient['notify']>[1] = {},
  ): ReturnType<PeerClient['notify']> {
    checkOptions(options);
    return this.client.notify(text, options);
  }

  /** The tools by which a model works with peers, as plain definitions for any framework: `peerTools` of core. */
  tools<const Names extends readonly PeerToolName[] = DefaultPeerToolNames>(
    options: PeerToolsOptions<Names> = {},
  ): PeerToolList<Names> {
    return peerTools(this.client, options);
  }

  #continued<Options extends Pick<CallPeerOptions, 'contextId' | 'messageId' | 'metadata' | 'answers'>>(
    name: string,
    peerId: string,
    content: string | MessageContent,
    options: Options,
  ): Options {
    checkOptions(options);
    return repeatableCallOptions(this.client, `MoleculeService.${name}`, [peerId, content], options);
  }
}

/** @throws MoleculeError `invalid_argument` */
function checkOptions(options: unknown): void {
  if (shape.isObject(options)) return;
  throw new MoleculeError(`The options must be an object, got ${shape.describe(options)}.`, {
    code: 'invalid_argument',
  });
}
