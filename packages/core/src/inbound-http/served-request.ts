import {
  BODY_LIMITS,
  exceededJsonLimit,
  JSON_LIMITS,
  type JsonLimit,
  type JsonLimits,
  type JsonValue,
} from '@molecule-ai/protocol';
import type { InboundCaller } from './inbound-agent.ts';
import { type CallRefusal, refusalOf } from './inbound-call.ts';

/** A request to the agent's URL, as a server has it: a standard `Request`, or one of `node:http`. */
export interface ServedRequest {
  readonly method: string;
  /** With or without an origin. */
  readonly url: string;
  /** Several values of one name are joined by commas. */
  readonly headers: Pick<Headers, 'get'>;
  /** Aborts when the caller has closed the connection. */
  readonly signal: AbortSignal;
  /** Whether something else, such as a body parser, has read the body. */
  readonly isBodyRead: boolean;
  /** Reads the body; `null` as soon as it has more than `maxBytes`. Rejects when the connection breaks. */
  readBytes(maxBytes: number): Promise<Uint8Array | null>;
}

/** What a request is responded with. The body is JSON, or a stream of server-sent events. */
export interface ServedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | ReadableStream<Uint8Array>;
}

/** Responds to one request. Never rejects. */
export type Serve = (request: ServedRequest) => Promise<ServedResponse>;

/** A standard `Request`. */
export function servedRequestOf(request: Request): ServedRequest {
  const { method, url, headers, signal, body, bodyUsed } = request;
  return {
    method,
    url,
    headers,
    signal,
    isBodyRead: bodyUsed,
    readBytes: (maxBytes) => readStream(body, maxBytes),
  };
}

/** Joins the pieces of a body. */
export function joinBytes(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1) return only;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

async function readStream(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<Uint8Array | null> {
  if (body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes) return null;
    chunks.push(chunk);
  }
  return joinBytes(chunks, size);
}

interface BodyLimits extends JsonLimits {
  readonly bytes: number;
}

const LIMITS: BodyLimits = { ...JSON_LIMITS, bytes: BODY_LIMITS.json };
/** The platform accepts a message within {@link LIMITS}, and adds to it: its envelope, its sender, answers to questions. */
const PUSH_LIMITS: BodyLimits = {
  nodes: 2 * LIMITS.nodes,
  depth: LIMITS.depth + 16,
  bytes: 4 * LIMITS.bytes,
};

/** A body, or why it is not read. */
type ReadBody =
  | { readonly kind: 'json'; readonly value: JsonValue }
  | { readonly kind: 'refused'; readonly refusal: CallRefusal };

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** Reads JSON, whatever the content type says. Stops at the first byte over the limit: 1 MiB, of the platform 4 MiB. */
export async function readBody(
  request: Pick<ServedRequest, 'headers' | 'readBytes'>,
  { use }: Pick<InboundCaller, 'use'>,
): Promise<ReadBody> {
  const limits = use === 'push' ? PUSH_LIMITS : LIMITS;
  if (Number(request.headers.get('content-length') ?? 0) > limits.bytes) return tooLarge(limits);
  const bytes = await request.readBytes(limits.bytes);
  if (bytes === null) return tooLarge(limits);
  try {
    const text = utf8.decode(bytes);
    const limit = exceededJsonLimit(text, limits);
    if (limit !== undefined) return tooComplex(limit, limits);
    return { kind: 'json', value: JSON.parse(text) as JsonValue };
  } catch {
    return { kind: 'refused', refusal: refusalOf(400, 'invalid_json', 'The body is not JSON.', -32700) };
  }
}

function tooLarge({ bytes }: BodyLimits): ReadBody {
  const hint = 'Send less, or store the data and send its address.';
  const message = `The request is over ${bytes / 1024 / 1024} MiB.`;
  return { kind: 'refused', refusal: { ...refusalOf(413, 'body_too_large', message, -32600), hint } };
}

function tooComplex(limit: JsonLimit, { nodes, depth }: JsonLimits): ReadBody {
  const what = limit === 'nodes' ? `has more than ${nodes} values` : `is nested more than ${depth} levels`;
  return { kind: 'refused', refusal: refusalOf(400, 'invalid_message', `The JSON ${what}.`, -32600) };
}
