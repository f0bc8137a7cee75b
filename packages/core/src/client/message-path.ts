import type { JsonObject, JsonValue } from '@molecule-ai/protocol';

/** A message from one workspace to another: sender and receiver. */
export type PathEdge = readonly [sender: string, receiver: string];

/** What led to a message, as far as it is known here. */
export interface MessagePath {
  /** Messages between workspaces up to this one, which counts; those of people do not. */
  readonly hops: number;
  /** The messages before this one, the latest last. */
  readonly path: readonly PathEdge[];
}

const MAX_EDGES = 50;
const MAX_ID_LENGTH = 64;

/**
 * What the metadata of a message says of its path; that of a person says nothing.
 * @param own the message itself, which may be the last of its path; `null` for one of a person
 */
export function pathOfMessage(own: PathEdge | null, { hops, path: claimed }: JsonObject): MessagePath {
  if (own === null) return { hops: 0, path: [] };
  const edges = Array.isArray(claimed) ? claimed.slice(-MAX_EDGES).filter(isEdge) : [];
  const path = String(edges.at(-1)).toLowerCase() === String(own).toLowerCase() ? edges.slice(0, -1) : edges;
  const named = typeof hops === 'number' && Number.isSafeInteger(hops) ? hops : 0;
  return { hops: Math.max(1, path.length + 1, named), path };
}

/** The path of a message that is sent in the handling of another one. */
export function pathAfter({ hops, path }: MessagePath, sender: string, receiver: string): MessagePath {
  const edge: readonly PathEdge[] = sender === '' ? [] : [[sender.toLowerCase(), receiver]];
  return { hops: hops + 1, path: [...path, ...edge].slice(-MAX_EDGES) };
}

function isEdge(value: JsonValue): value is [string, string] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  return value.every((id) => typeof id === 'string' && id.length <= MAX_ID_LENGTH);
}
