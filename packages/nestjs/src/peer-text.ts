import {
  type InboundMessage,
  type MessageForModelOptions,
  messageForModel,
  type PeerInfo,
  type PeerReply,
  type PeerReplyData,
  type PeerStream,
  peerReplyFromData,
  peersForModel,
  stripA2aBoundary,
} from '@molecule-ai/core';
import {
  fenceMarkedText,
  fenceRepeatably,
  originOfPeerText,
  outcomeOfReply,
  type ReplyContext,
} from '@molecule-ai/core/tools';
import {
  BadRequestException,
  type CallHandler,
  type ExecutionContext,
  InternalServerErrorException,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { mergeMap, type Observable } from 'rxjs';
import { handledIn, PARAMETERS, parameter } from './decorators.ts';

/** What a value given to the pipe or the interceptor may have. */
const MAX_DEPTH = 64;
const MAX_VALUES = 100_000;

/** The whole text, for a model of which no tools are known. */
const WHOLE_REPLY: ReplyContext = { maxModelChars: Number.MAX_SAFE_INTEGER, offered: new Set(), ownId: '' };

/**
 * The text of the message for a model, as `messageForModel` returns it: what a person wrote on the canvas as it is, all other text in a
 * fence. Add `peerTextInstructions` to the system prompt. For methods that handle messages.
 *
 * @example
 * @OnPeerMessage() answer(@UntrustedText() text: string) { return this.model.reply(text); }
 */
export const UntrustedText = (options: MessageForModelOptions = {}): ParameterDecorator =>
  parameter('UntrustedText', PARAMETERS.asItIs, (message) => messageForModel(message, options));

/**
 * Takes the markers off that the platform puts around texts of peers (`stripA2aBoundary`), in a text and in all texts of objects and lists.
 * What comes out is as untrusted as before. At most 64 levels and 100 000 values: more is a `BadRequestException`.
 *
 * @example
 * @OnPeerMessage() answer(@MessageParams(StripA2aBoundaryPipe) params: Params) {}
 */
export class StripA2aBoundaryPipe implements PipeTransform {
  transform(value: unknown): unknown {
    const mapping = new DeepMapping(
      (text) => stripA2aBoundary(text),
      () => undefined,
    );
    const stripped = mapping.map(value);
    if (stripped === TOO_LARGE) throw new BadRequestException('The value has too many levels or values.');
    return stripped;
  }
}

/**
 * Fences what peers wrote in the return value of a method that a model reads, such as a tool or an endpoint of one: replies, and streams
 * when they have ended (an answer that is a text as `forModel()`; files, questions, and what became of a message without an answer, in
 * words), messages (`messageForModel`), lists of peers (`peersForModel`), and texts that have markers or tags of a fence in them, or that a
 * peer is known to have written. Other texts are returned unchanged. Not for the answer to a message: whoever reads that fences it, so for
 * methods that handle messages it does nothing.
 *
 * @example
 * @UseInterceptors(PeerTextInterceptor) @Post('tools/ask') ask(@Body() { peerId, text }: Ask) { return this.molecule.call(peerId, text); }
 */
export class PeerTextInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const given = next.handle();
    if (handledIn(context) !== undefined) return given;
    return given.pipe(mergeMap((value) => fenceDeep(value)));
  }
}

/** Waits for the streams in the value, wherever they are: only at its end a stream has all of its text, and a status. */
async function fenceDeep(value: unknown): Promise<unknown> {
  const streams = new Set<PeerStream>();
  const fenced = fenceWith(value, (each) => {
    if (!isStream(each)) return forModelOf(each);
    streams.add(each);
    return each;
  });
  if (streams.size === 0) return fenced;
  const read = async (stream: PeerStream) => [stream, await stream.reply()] as const;
  const replies = new Map<object, PeerReply>(await Promise.all([...streams].map(read)));
  return fenceWith(value, (each) => forModelOf(replies.get(each) ?? each));
}

function fenceWith(value: unknown, forModel: (value: object) => unknown): unknown {
  const fenced = new DeepMapping(fenceKnown, forModel).map(value);
  if (fenced !== TOO_LARGE) return fenced;
  throw new InternalServerErrorException(
    'The result has too many levels or values to find texts of peers in it.',
  );
}

function fenceKnown(text: string): string {
  const origin = originOfPeerText(text);
  return origin === undefined ? fenceMarkedText(text) : fenceRepeatably(text, { origin });
}

/** What this package and core give of peers, for a model; `undefined` for everything else. */
function forModelOf(value: object): string | undefined {
  if (isReply(value)) return modelTextOf(value);
  if (hasForModel(value)) return value.forModel();
  if (isReplyData(value)) return modelTextOf(peerReplyFromData(value));
  if (isMessage(value)) return messageForModel(value);
  const peers = [value].flat();
  return peers.length > 0 && peers.every(isPeer) ? peersForModel(peers) : undefined;
}

/** A fence alone says neither that a peer failed or has not answered yet, nor what it sent besides a text. */
function modelTextOf(reply: PeerReply): string {
  const isText = reply.text !== '' && reply.parts.every(({ kind }) => kind === 'text');
  if (reply.status === 'answered' && isText) return reply.forModel();
  return outcomeOfReply(reply, WHOLE_REPLY).forModel;
}

function hasForModel(value: object): value is Pick<PeerReply, 'forModel'> {
  return typeof Reflect.get(value, 'forModel') === 'function';
}

function isReply(value: object): value is PeerReply {
  return hasForModel(value) && typeof Reflect.get(value, 'toData') === 'function';
}

function isStream(value: object): value is PeerStream {
  return hasForModel(value) && typeof Reflect.get(value, 'reply') === 'function';
}

function isReplyData(value: object): value is PeerReplyData {
  return hasTexts(value, ['status', 'peerId', 'nonce', 'via', 'text']) && 'isWrapped' in value;
}

function isMessage(value: object): value is InboundMessage {
  return hasTexts(value, ['source', 'peerId', 'inReplyTo', 'text']);
}

function isPeer(value: unknown): value is PeerInfo {
  if (typeof value !== 'object' || value === null) return false;
  return hasTexts(value, ['id', 'name', 'role', 'status']) && 'agentCard' in value && 'deliveryMode' in value;
}

function hasTexts(value: object, names: readonly string[]): boolean {
  return names.every((name) => typeof Reflect.get(value, name) === 'string');
}

const TOO_LARGE = Symbol('too large');

/** Copies lists and objects with other texts in them. What has nothing to change is not copied. */
class DeepMapping {
  readonly #text: (text: string) => string;
  readonly #replace: (value: object) => unknown;
  readonly #done = new Map<object, unknown>();
  #left = MAX_VALUES;

  constructor(text: (text: string) => string, replace: (value: object) => unknown) {
    this.#text = text;
    this.#replace = replace;
  }

  /** {@link TOO_LARGE} for a value that has too much, or itself in it. */
  map(value: unknown, depth = 0): unknown {
    this.#left -= 1;
    if (this.#left < 0 || depth > MAX_DEPTH) return TOO_LARGE;
    if (typeof value === 'string') return this.#text(value);
    if (typeof value !== 'object' || value === null) return value;
    const known = this.#done.get(value);
    if (known !== undefined) return known;
    this.#done.set(value, TOO_LARGE);
    const mapped = this.#replace(value) ?? this.#mapEntries(value, depth);
    this.#done.set(value, mapped);
    return mapped;
  }

  #mapEntries(value: object, depth: number): unknown {
    if (!Array.isArray(value) && !isRecord(value)) return value;
    const json = jsonOf(value);
    if (json !== value) {
      const mapped = this.map(json, depth + 1);
      return mapped === json ? value : mapped;
    }
    const entries = Object.entries(value).map(
      ([key, entry]) => [key, entry, this.map(entry, depth + 1)] as const,
    );
    if (entries.some(([, , mapped]) => mapped === TOO_LARGE)) return TOO_LARGE;
    if (entries.every(([, entry, mapped]) => entry === mapped)) return value;
    if (Array.isArray(value)) return entries.map(([, , mapped]) => mapped);
    const copy = Object.create(Object.getPrototypeOf(value)) as object;
    for (const [key, , mapped] of entries) {
      Object.defineProperty(copy, key, {
        value: mapped,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return copy;
  }
}

/** Plain objects, and those of classes of the application, such as DTOs; not dates, buffers, files and the like. */
function isRecord(value: object): boolean {
  const isStreamed = ['pipe', 'getStream'].some((name) => typeof Reflect.get(value, name) === 'function');
  return !isStreamed && Object.prototype.toString.call(value) === '[object Object]';
}

/** As it is sent: a document of a database, for instance, keeps its fields elsewhere. */
function jsonOf(value: object): unknown {
  const toJSON: unknown = Reflect.get(value, 'toJSON');
  return typeof toJSON === 'function' ? toJSON.call(value) : value;
}
