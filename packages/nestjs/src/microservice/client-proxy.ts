import {
  type CallPeerOptions,
  type PeerClient,
  type PeerReply,
  RemoteAgentClient,
  type RemoteAgentClientOptions,
} from '@molecule-ai/core';
import { clientProblem } from '@molecule-ai/core/adapter-kit';
import { ClientProxy, type ReadPacket, RpcException, type WritePacket } from '@nestjs/microservices';
import { endError } from '../reply-errors.ts';
import { toRpcException } from './rpc-exception.ts';

/** The client of an agent, or options for one of its own, which the proxy closes. */
export type MoleculeClientProxyOptions =
  | { readonly client: PeerClient }
  | (RemoteAgentClientOptions & { readonly client?: undefined });

/** What is sent: a text, or a text with options of the call. */
export interface PeerRequest extends Omit<CallPeerOptions, 'signal'> {
  readonly text: string;
  /** `send` gives the pieces of the text as they come instead of the reply. @default false */
  readonly stream?: boolean | undefined;
}

/**
 * Messages to peers by the interface of Nest's clients. The pattern is the id of the peer.
 *
 * `send(peerId, text)` is an `Observable` of the `PeerReply`, and with `{ text, stream: true }` of the pieces of its text. To unsubscribe cancels
 * the message. `emit(peerId, text)` resolves when the platform has accepted the message. A peer that fails, and a call that does, is a
 * `MoleculeRpcException` with `code` and `hint`.
 *
 * @example
 * const reply = await firstValueFrom(this.peers.send<PeerReply>(peerId, 'Is it in stock?'));
 */
export class MoleculeClientProxy extends ClientProxy {
  readonly #options: MoleculeClientProxyOptions;
  #client: PeerClient | undefined;
  #own: RemoteAgentClient | undefined;

  /** @throws RpcException for anything but a client of an agent. */
  constructor(options: MoleculeClientProxyOptions) {
    super();
    const { client } = options;
    const problem = client === undefined ? null : clientProblem(client);
    if (problem !== null) throw new RpcException(problem);
    this.#options = options;
    this.#client = client;
  }

  /** Makes its own client, if it has one. @throws MoleculeRpcException naming a wrong option and its environment variable. */
  override async connect(): Promise<PeerClient> {
    if (this.#client !== undefined) return this.#client;
    const { client: _none, ...options } = this.#options;
    try {
      this.#own = new RemoteAgentClient(options);
    } catch (error) {
      throw toRpcException(error);
    }
    this.#client = this.#own;
    return this.#own;
  }

  /** Closes its own client; that of an agent stays open. */
  override async close(): Promise<void> {
    const own = this.#own;
    if (own === undefined) return;
    this.#own = undefined;
    this.#client = undefined;
    await own.close();
  }

  /** The client. */
  override unwrap<T>(): T {
    return this.#client as T;
  }

  protected override publish(packet: ReadPacket, callback: (packet: WritePacket) => void): () => void {
    const left = new AbortController();
    this.#send(packet, left.signal, (response) => callback({ response }))
      .then(() => callback({ isDisposed: true }))
      .catch((error: unknown) => callback({ err: toRpcException(error) }));
    return () => left.abort();
  }

  protected override async dispatchEvent<T = PeerReply>(packet: ReadPacket): Promise<T> {
    const client = await this.connect();
    const { peerId, text, options } = requestOf(packet);
    const reply = await client.sendToPeer(peerId, text, options).catch((error: unknown) => {
      throw toRpcException(error);
    });
    return reply as T;
  }

  async #send(packet: ReadPacket, signal: AbortSignal, next: (response: unknown) => void): Promise<void> {
    const client = await this.connect();
    const { peerId, text, isStream, options } = requestOf(packet);
    if (!isStream) {
      const reply = await client.callPeer(peerId, text, { ...options, signal });
      const error = endError(reply, { mayAsk: true });
      if (error !== null) throw error;
      next(reply);
      return;
    }
    const stream = client.streamPeer(peerId, text, { ...options, signal } as CallPeerOptions);
    for await (const piece of stream) next(piece);
    const error = endError(await stream.reply());
    if (error !== null) throw error;
  }
}

function requestOf({ pattern, data }: ReadPacket): {
  readonly peerId: string;
  readonly text: string;
  readonly isStream: boolean;
  readonly options: CallPeerOptions;
} {
  if (typeof data === 'string') return { peerId: pattern, text: data, isStream: false, options: {} };
  const { text, stream = false, ...options }: PeerRequest = Object(data);
  if (typeof text !== 'string') {
    throw new RpcException(
      'The data of a message to a peer must be a text, or an object such as { text, contextId }.',
    );
  }
  return { peerId: pattern, text, isStream: stream, options };
}
