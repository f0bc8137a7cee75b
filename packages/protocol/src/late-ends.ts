import { isJsonObject, type JsonObject, type JsonValue } from './open-json.ts';

/** Of the metadata of a message: how its sender, an agent, ended a message that came directly, if not by an answer. */
const OWN_END = 'molecule_end';
const MAX_CODE_LENGTH = 100;

/** How an agent ended a direct message without an answer. `code` is a short word of the agent. */
export interface OwnEnd {
  readonly state: 'unanswered' | 'failed';
  readonly code?: string | undefined;
}

/** What a late message brings instead of an answer. */
export interface LateEnd {
  readonly state: 'unanswered' | 'failed' | 'expired' | 'input_required';
  readonly code: string | null;
}

/**
 * The end that a message with `in_reply_to` brings; `null` for an answer. `state` and `code` of its metadata count only beside what
 * the platform alone writes: elsewhere they belong to applications.
 */
export function lateEndIn(metadata: JsonObject): LateEnd | null {
  const { delivery_failed: isFailed, questions, state, code } = metadata;
  if (isFailed === true) return { state: state === 'expired' ? state : 'failed', code: codeOf(code) };
  const own = metadata[OWN_END];
  if (isJsonObject(own) && (own.state === 'unanswered' || own.state === 'failed')) {
    return { state: own.state, code: codeOf(own.code) };
  }
  const isQuestion = state === 'input_required' && Array.isArray(questions) && questions.length > 0;
  return isQuestion ? { state, code: null } : null;
}

/** The metadata of an agent's reply, with its mark of an end or none; what the application wrote in its place is removed. */
export function withOwnEnd(metadata: JsonObject | undefined, end: OwnEnd | undefined): JsonObject {
  const { [OWN_END]: _reserved, ...open } = metadata ?? {};
  if (end === undefined) return open;
  const { state, code } = end;
  return { ...open, [OWN_END]: { state, ...(code === undefined ? {} : { code }) } };
}

function codeOf(code: JsonValue | undefined): string | null {
  return typeof code === 'string' && code.length <= MAX_CODE_LENGTH ? code : null;
}
