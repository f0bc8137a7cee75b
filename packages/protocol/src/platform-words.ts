import { isJsonObject, type JsonObject } from './open-json.ts';

/** Who sent a message, and under which ids: the platform says that itself wherever it delivers one. */
const ORIGIN = [
  'activity_id',
  'agent_card_url',
  'conversation_id',
  'message_id',
  'peer_id',
  'peer_name',
  'peer_role',
  'source',
  'source_id',
] as const;

/** What kind of message it is: a late end, a delegation. */
const KIND = ['answer_omitted', 'delegation_id', 'delivery_failed'] as const;

/**
 * Keys by what they say: who sent a message, what it is, both. `unchecked`: also answers to questions, of which the platform
 * removes those that their sender may not give.
 */
export type PlatformWords = 'origin' | 'kind' | 'all' | 'unchecked';

const WORDS: Readonly<Record<PlatformWords, readonly string[]>> = {
  origin: ORIGIN,
  kind: KIND,
  all: [...ORIGIN, ...KIND],
  unchecked: [...ORIGIN, ...KIND, 'answers'],
};

/** Metadata without the keys under which only the platform may say something; the same object when there are none. */
export function withoutPlatformWords(metadata: JsonObject, about: PlatformWords = 'all'): JsonObject {
  const words = WORDS[about];
  if (!words.some((word) => Object.hasOwn(metadata, word))) return metadata;
  return Object.fromEntries(Object.entries(metadata).filter(([key]) => !words.includes(key)));
}

/** A request whose params and message have no such metadata; the same object when they had none. */
export function withoutPlatformWordsIn(request: JsonObject, about: PlatformWords = 'all'): JsonObject {
  const { params } = request;
  if (!isJsonObject(params)) return request;
  const own = withOwnMetadata(params, about);
  const message = isJsonObject(params.message) ? withOwnMetadata(params.message, about) : undefined;
  if (own === params && (message === undefined || message === params.message)) return request;
  return { ...request, params: { ...own, ...(message === undefined ? {} : { message }) } };
}

function withOwnMetadata(holder: JsonObject, about: PlatformWords): JsonObject {
  const { metadata } = holder;
  if (!isJsonObject(metadata)) return holder;
  const own = withoutPlatformWords(metadata, about);
  return own === metadata ? holder : { ...holder, metadata: own };
}

/**
 * Keys of the metadata of a message that a repeat of it may change: they say where and when it was sent, and do not count when two messages
 * with one id are compared.
 */
export const VARIABLE_METADATA: ReadonlySet<string> = new Set([
  'parent_message_id',
  'parent_activity_id',
  'trace_id',
  'hops',
  'path',
  'deadline',
]);
