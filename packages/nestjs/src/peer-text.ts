import {
  fencePeerText,
  type InboundMessage,
  messageForModel,
  type PeerInfo,
  type PeerReply,
  type PeerReplyData,
  type PeerStream,
  peerReplyFromData,
  peersForModel,
  stripA2aBoundary,
} from '@molecule-ai/core';
import { fenceForeignText, mapTexts, outcomeOfReply, receivedValue } from '@molecule-ai/core/adapter-kit';
import {
  BadRequestException,
  type CallHandler,
  type ExecutionContext,
  InternalServerErrorException,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { concatMap, type Observable } from 'rxjs';
import { handledIn, PARAMETERS, parameter } from './decorators.ts';
import { DeepMapping, TOO_LARGE } from './deep-mapping.ts';

/** The whole text, for a model of which no tools are known. */
const WHOLE_REPLY = { maxModelChars: Number.MAX_SAFE_INTEGER, offered: new Set<string>(), ownId: '' };

/**
 * The text of the message for a model, as `messageForModel` returns it: what a person wrote on the canvas as it is, all other text in a
 * fence. Add `peerTextInstructions` to the system prompt. For methods that handle messages.
 *
 * @example
 * @OnPeerMessage() answer(@UntrustedText() text: string) { return this.model.reply(text); }
 */
export const UntrustedText = (options: Parameters<typeof messageForModel>[1] = {}): ParameterDecorator =>
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
    const stripped = new DeepMapping({ text: (text) => stripA2aBoundary(text) }).map(value);
    if (stripped === TOO_LARGE) throw new BadRequestException('The value has too many levels or values.');
    return stripped;
  }
}

/**
 * Fences what peers wrote in the return value of a method that a model reads, such as a tool or an endpoint of one: replies, and streams
 * when they have ended (an answer that is a text as `forModel()`; files, questions, and what became of a message without an answer, in
 * words), messages (`messageForModel`), lists of peers (`peersForModel`), and texts that have markers or tags of a fence in them. Other
 * texts are returned unchanged, also `reply.text` by itself: return the reply, or `reply.forModel()`. Not for the answer to a message: whoever reads that fences it, so for
 * methods that handle messages it does nothing.
 *
 * @example
 * @UseInterceptors(PeerTextInterceptor) @Post('tools/ask') ask(@Body() { peerId, text }: Ask) { return this.molecule.call(peerId, text); }
 */
export class PeerTextInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const given = next.handle();
    if (handledIn(context) !== undefined) return given;
    return given.pipe(concatMap((value) => fenceDeep(value)));
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
  // The application composes what it returns, for instance with `reply.forModel()`.
  const text = (each: string): string => fenceForeignText(each, { anyOrigin: true });
  const fenced = new DeepMapping({ text, key: text, replace: forModel }).map(value);
  if (fenced !== TOO_LARGE) return fenced;
  throw new InternalServerErrorException(
    'The result has too many levels or values to find texts of peers in it.',
  );
}

/** What core made of what peers wrote, for a model; `undefined` for everything else. A peer sends no functions, but data of any form. */
function forModelOf(value: object): string | undefined {
  if (isReply(value)) return modelTextOf(value);
  if (hasForModel(value)) return value.forModel();
  if (Array.isArray(value)) return value.length > 0 && value.every(isPeer) ? peersForModel(value) : undefined;
  const received = receivedValue(value);
  switch (received?.kind) {
    case 'message':
      return messageForModel(value as InboundMessage);
    case 'peer':
      return peersForModel([value as PeerInfo]);
    case 'reply-data':
      return modelTextOf(peerReplyFromData(value as PeerReplyData));
    case 'reply-content':
      return fencedJson(value, received.peerId);
    case undefined:
      return looksReceived(value) ? fencedJson(value, 'unknown') : undefined;
  }
}

/** As one text, so that data of a peer, however large or deep, does not count as values of the result. */
function fencedJson(value: object, origin: string): string {
  const bounded = mapTexts(value, (text) => text);
  const json = JSON.stringify(bounded, (_key, each) => (typeof each === 'bigint' ? String(each) : each));
  return fencePeerText(json ?? '', { origin });
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

function isPeer(value: unknown): boolean {
  return typeof value === 'object' && value !== null && receivedValue(value)?.kind === 'peer';
}

/**
 * Data of a reply, a message or an entry of the list of peers that core did not make: it was stored and read again, or a peer sent it. So nothing in it
 * says who wrote it.
 */
function looksReceived(value: object): boolean {
  const isReplyData = hasTexts(value, ['status', 'peerId', 'via', 'text']) && 'isWrapped' in value;
  const isMessage = hasTexts(value, ['source', 'peerId', 'inReplyTo', 'text']);
  const isPeerInfo = hasTexts(value, ['id', 'name', 'role', 'status']) && 'agentCard' in value;
  return isReplyData || isMessage || (isPeerInfo && 'deliveryMode' in value);
}

function hasTexts(value: object, names: readonly string[]): boolean {
  return names.every((name) => typeof Reflect.get(value, name) === 'string');
}
