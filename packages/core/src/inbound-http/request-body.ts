import { exceededJsonLimit, JSON_LIMITS, type JsonValue } from '@molecule-ai/protocol';
import type { InboundRefusal } from './inbound-agent.ts';

/** Most bytes of a request. */
const MAX_BYTES = 1024 * 1024;

/** A body, or why it is not read, with the code of JSON-RPC for that. */
export type ReadBody =
  | { readonly kind: 'json'; readonly value: JsonValue }
  | { readonly kind: 'refused'; readonly rpcCode: number; readonly refusal: InboundRefusal };

const TOO_LARGE: ReadBody = refused(-32600, {
  status: 413,
  code: 'body_too_large',
  message: 'The request is over 1 MiB.',
  hint: 'Send less, or store the data and send its address.',
});

const NOT_JSON: ReadBody = refused(-32700, {
  status: 400,
  code: 'invalid_json',
  message: 'The body is not JSON.',
});

/** Reads JSON, whatever the content type says. Stops at the first byte over 1 MiB. */
export async function readBody(request: Request): Promise<ReadBody> {
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BYTES) return TOO_LARGE;
  const bytes = await readBytes(request.body);
  if (bytes === null) return TOO_LARGE;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const limit = exceededJsonLimit(text);
    if (limit !== undefined) return tooComplex(limit);
    return { kind: 'json', value: JSON.parse(text) as JsonValue };
  } catch {
    return NOT_JSON;
  }
}

/** `null` when there are too many. */
async function readBytes(body: ReadableStream<Uint8Array> | null): Promise<Uint8Array | null> {
  if (body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) return null;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

function tooComplex(limit: keyof typeof JSON_LIMITS): ReadBody {
  const { nodes, depth } = JSON_LIMITS;
  const what = limit === 'nodes' ? `has more than ${nodes} values` : `is nested more than ${depth} levels`;
  return refused(-32600, { status: 400, code: 'invalid_message', message: `The JSON ${what}.` });
}

function refused(rpcCode: number, refusal: InboundRefusal): ReadBody {
  return { kind: 'refused', rpcCode, refusal };
}
