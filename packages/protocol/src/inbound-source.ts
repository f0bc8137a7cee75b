import type { JsonObject, JsonValue } from './open-json.ts';

/** Who wrote: a person on the canvas, another workspace, or nobody known (which counts as a peer). */
export type InboundSource = 'canvas_user' | 'peer_agent' | 'unknown';

const WORDS: ReadonlyMap<string, InboundSource> = new Map([
  ['canvas_user', 'canvas_user'],
  ['user', 'canvas_user'],
  ['peer_agent', 'peer_agent'],
]);

/**
 * Who wrote a row. A stated source wins: `data.source`, `source`, then `data.kind`; an unknown word stays
 * `unknown`. Otherwise the id decides: the id `user` and a null `source_id` are the canvas, any other id a peer.
 */
export function sourceOf(row: JsonObject, data: JsonObject, sourceId: string): InboundSource {
  const stated = [data.source, row.source, data.kind].find(isWord);
  if (stated !== undefined) return WORDS.get(stated) ?? 'unknown';
  if (sourceId === 'user') return 'canvas_user';
  if (sourceId !== '') return 'peer_agent';
  return row.source_id === null ? 'canvas_user' : 'unknown';
}

function isWord(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '';
}
