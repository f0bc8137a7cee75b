import { type JsonObject, removeBoundaryMarkers } from '@molecule-ai/protocol';
import type { PeerReply } from '../peers/peer-reply.ts';
import { fenceMarkedValue } from './marked-value.ts';

const CODE_BLOCK = /^\s*```(?:json)?[ \t]*\n([\s\S]*)```\s*$/i;

export interface ReplyWordsOptions {
  /** Whether JSON was asked for: then it is the data part that the peer sent, if there is one, else its text. @default false */
  readonly isJson?: boolean | undefined;
}

/**
 * The words of a peer as one text for programs and people, without boundary markers: its text or questions, then its data as JSON and what is
 * known of its files. Untrusted, and not fenced.
 */
export function wordsOfReply(
  { status, text, parts: given, questions }: PeerReply,
  { isJson = false }: ReplyWordsOptions = {},
): string {
  const said = removeBoundaryMarkers(text);
  if (status === 'input-required' && said === '') {
    return removeBoundaryMarkers(questions.map((question) => question.text).join('\n'));
  }
  if (status !== 'answered') return said;
  const parts = fenceMarkedValue(given, removeBoundaryMarkers);
  const data = parts.flatMap((part) => (part.data === undefined ? [] : [JSON.stringify(part.data)]));
  if (isJson) return data.length === 1 ? data.join() : withoutCodeBlock(said);
  const files = parts.flatMap((part) => (part.file === undefined ? [] : [describedFile(part)]));
  // Agents that answer with JSON send it as text as well.
  const same = data.length === 0 ? undefined : normalised(said);
  const others = [...data.filter((json) => json !== same), ...files];
  return [...(said === '' ? [] : [said]), ...others].join('\n');
}

/** A part with a file, as JSON, without the bytes. */
export function describedFile(part: JsonObject): string {
  const { file } = part;
  if (typeof file !== 'object' || file === null || Array.isArray(file)) return JSON.stringify(part);
  const { bytes, ...rest } = file;
  const size = typeof bytes === 'string' ? { base64Length: bytes.length } : {};
  return JSON.stringify({ kind: 'file', file: { ...rest, ...size } });
}

function withoutCodeBlock(text: string): string {
  const inner = CODE_BLOCK.exec(text)?.[1];
  return inner === undefined || normalised(inner) === undefined ? text : inner.trim();
}

/** JSON without white space; `undefined` for other texts. */
function normalised(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return undefined;
  }
}
