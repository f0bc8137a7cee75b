import {
  BODY_LIMITS,
  exceededJsonLimit,
  JSON_LIMITS,
  type JsonLimit,
  type JsonLimits,
  type JsonValue,
} from '@molecule-ai/protocol';
import type { InboundCaller, InboundRefusal } from './inbound-agent.ts';
import type { ServedRequest } from './served-request.ts';

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

/** A body, or why it is not read, with the code of JSON-RPC for that. */
export type ReadBody =
  | { readonly kind: 'json'; readonly value: JsonValue }
  | { readonly kind: 'refused'; readonly rpcCode: number; readonly refusal: InboundRefusal };

const NOT_JSON: ReadBody = refused(-32700, {
  status: 400,
  code: 'invalid_json',
  message: 'The body is not JSON.',
});

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
    return NOT_JSON;
  }
}

function tooLarge({ bytes }: BodyLimits): ReadBody {
  return refused(-32600, {
    status: 413,
    code: 'body_too_large',
    message: `The request is over ${bytes / 1024 / 1024} MiB.`,
    hint: 'Send less, or store the data and send its address.',
  });
}

function tooComplex(limit: JsonLimit, { nodes, depth }: JsonLimits): ReadBody {
  const what = limit === 'nodes' ? `has more than ${nodes} values` : `is nested more than ${depth} levels`;
  return refused(-32600, { status: 400, code: 'invalid_message', message: `The JSON ${what}.` });
}

function refused(rpcCode: number, refusal: InboundRefusal): ReadBody {
  return { kind: 'refused', rpcCode, refusal };
}
