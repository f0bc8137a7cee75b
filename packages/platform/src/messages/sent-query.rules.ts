import { isEnded, MESSAGE_STATES } from '@molecule-ai/protocol';
import { HttpError } from '../http/http-error.ts';
import type { QueryValues } from '../http/mount.ts';
import { parseRfc3339 } from '../time/clock.ts';
import type { SentMessageFilter } from './sent-messages.ts';

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;

/** The states of rows that are one state on the wire. */
const ROW_STATES: Readonly<Record<string, readonly string[]>> = {
  queued: ['pending', 'leased'],
  delivered: ['delivered', 'acknowledged'],
};

/** Reads the query of `GET /workspaces/:id/messages`; 400 naming the field for what cannot be meant. */
export function parseSentQuery({ state, since, limit }: QueryValues): SentMessageFilter {
  return { states: parseStates(state ?? ''), since: parseSince(since), limit: parseLimit(limit) };
}

function parseStates(text: string): string[] {
  const words = text.split(',').map((word) => word.trim());
  const asked = words.filter((word) => word !== '');
  const states = MESSAGE_STATES.filter((state) => {
    const group = isEnded(state) ? 'ended' : 'open';
    return asked.length === 0 || asked.includes(state) || asked.includes(group);
  });
  const known: readonly string[] = [...MESSAGE_STATES, 'open', 'ended'];
  const unknown = asked.find((word) => !known.includes(word));
  if (unknown !== undefined) throw wrong('state', `state must be of ${known.join(', ')}`);
  return states.flatMap((state) => ROW_STATES[state] ?? [state]);
}

function parseSince(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  const ms = parseRfc3339(text);
  if (ms === undefined) throw wrong('since', 'since must be an RFC 3339 time');
  return new Date(ms).toISOString();
}

function parseLimit(text: string | undefined): number {
  if (text === undefined || text === '') return DEFAULT_LIMIT;
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw wrong('limit', `limit must be a whole number from 1 to ${MAX_LIMIT}`);
}

/** The error of a reference to a message that there is not, or not for this caller. */
export function messageNotFound(messageId: string, hint?: string): HttpError {
  const extras = { message_id: messageId, ...(hint === undefined ? {} : { hint }) };
  return new HttpError(404, 'message_not_found', 'message not found', { extras });
}

function wrong(field: string, message: string): HttpError {
  return new HttpError(400, 'invalid_request', message, { extras: { field } });
}
