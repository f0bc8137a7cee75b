import { idOf, isJsonObject, type JsonObject, objectOf } from './open-json.ts';

const CLAIMED_REPLY = 'claimed_reply';

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

/** What kind of message it is: a late end, a delegation, one that may answer a message that went directly. */
const KIND = ['answer_omitted', CLAIMED_REPLY, 'delegation_id', 'delivery_failed'] as const;

/** What a message answers. Keys that begin with `molecule_` belong to it. */
const REPLY = ['in_reply_to', 'in_reply_to_activity'] as const;

/** How the message ended that this one is about. */
const OUTCOME = ['questions', 'state'] as const;

/**
 * Keys by what they say. `origin` and `kind`: never believed of a sender. `reply`: only of the workspace that got the message it names.
 * `outcome`: not of a message that is delivered; an agent that asks says so in its answer. `answers`: only of those who may answer the question.
 */
export const PLATFORM_WORDS = {
  origin: ORIGIN,
  kind: KIND,
  reply: REPLY,
  outcome: OUTCOME,
  answers: ['answers'],
} as const;

export type PlatformWords = keyof typeof PLATFORM_WORDS;

const RESERVED = 'molecule_';

/** Metadata without the keys under which only the platform may say something; the same object when there are none. */
export function withoutPlatformWords(metadata: JsonObject, ...about: readonly PlatformWords[]): JsonObject {
  const words = new Set<string>(about.flatMap((each) => PLATFORM_WORDS[each]));
  const isRemoved = (key: string): boolean =>
    words.has(key) || (key.startsWith(RESERVED) && about.includes('reply'));
  const entries = Object.entries(metadata);
  const kept = entries.filter(([key]) => !isRemoved(key));
  return kept.length === entries.length ? metadata : Object.fromEntries(kept);
}

/** A request whose params and message have no such metadata; the same object when they had none. */
export function withoutPlatformWordsIn(request: JsonObject, ...about: readonly PlatformWords[]): JsonObject {
  const { params } = request;
  if (!isJsonObject(params)) return request;
  const own = withOwnMetadata(params, about);
  const message = isJsonObject(params.message) ? withOwnMetadata(params.message, about) : undefined;
  if (own === params && (message === undefined || message === params.message)) return request;
  return { ...request, params: { ...own, ...(message === undefined ? {} : { message }) } };
}

function withOwnMetadata(holder: JsonObject, about: readonly PlatformWords[]): JsonObject {
  const { metadata } = holder;
  if (!isJsonObject(metadata)) return holder;
  const own = withoutPlatformWords(metadata, ...about);
  return own === metadata ? holder : { ...holder, metadata: own };
}

/**
 * A request that says neither what it answers nor how that ended, because the platform does not know such a message. What a workspace said of it
 * is kept under `claimed_reply`, which means nothing by itself: the receiver may have sent the message directly, and knows.
 */
export function withoutReply(request: JsonObject, isOfWorkspace: boolean): JsonObject {
  const own = withoutPlatformWordsIn(request, 'reply', 'outcome');
  const { params } = own;
  if (own === request || !isOfWorkspace || !isJsonObject(params)) return own;
  const given = metadataOf(request);
  if (given.in_reply_to === undefined) return own;
  const claim = Object.entries(given).filter(([key]) => key === 'in_reply_to' || key.startsWith(RESERVED));
  const metadata = { ...objectOf(params.metadata), [CLAIMED_REPLY]: Object.fromEntries(claim) };
  return { ...own, params: { ...params, metadata } };
}

/** The id of the message that a request claims to answer; `''` for none. */
export function claimedReply(metadata: JsonObject): string {
  return idOf(objectOf(metadata[CLAIMED_REPLY]).in_reply_to);
}

/** Metadata without the claim; in its place stands what it says if that is true. */
export function withClaimedReply(metadata: JsonObject, isTrue: boolean): JsonObject {
  if (!Object.hasOwn(metadata, CLAIMED_REPLY)) return metadata;
  const { [CLAIMED_REPLY]: claim, ...others } = metadata;
  return isTrue ? { ...others, ...objectOf(claim) } : others;
}

const ORIGINAL = 'molecule_original';
/** A longer text is not repeated, in UTF-16 units. */
const MAX_ORIGINAL_LENGTH = 20_000;

/** What the platform repeats of the message that another one answers or continues. */
export interface OriginalInMetadata {
  /** `''` when it is not known. */
  readonly messageId: string;
  /** `null` when it is not known or too long. */
  readonly text: string | null;
}

/** Metadata in which only this says what the message answers or continues. */
export function withOriginal(metadata: JsonObject, original: OriginalInMetadata | null): JsonObject {
  const { [ORIGINAL]: _claimed, ...own } = metadata;
  if (original === null) return own;
  const { messageId, text } = original;
  const isShown = text !== null && text.length <= MAX_ORIGINAL_LENGTH;
  return { ...own, [ORIGINAL]: { message_id: messageId, ...(isShown ? { text } : {}) } };
}

export function originalIn(metadata: JsonObject): OriginalInMetadata {
  const { message_id: messageId, text } = objectOf(metadata[ORIGINAL]);
  return { messageId: idOf(messageId), text: typeof text === 'string' ? text : null };
}

function metadataOf({ params }: JsonObject): JsonObject {
  const { metadata, message } = objectOf(params);
  return { ...objectOf(metadata), ...objectOf(objectOf(message).metadata) };
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
