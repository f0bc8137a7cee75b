import {
  type InboundMessage,
  type JsonValue,
  type OutcomeWord,
  parseActivityFeed,
  parseActivityRow,
  routes,
} from '@molecule-ai/protocol';
import { ApiError, PageTooLargeError, type UnreadRow } from '../errors/api-error.ts';
import { receivedMessage } from '../peers/received-values.ts';
import { parseClaims } from '../peers/sent-directly.ts';
import { unreadable } from '../platform-api/platform-api.ts';
import type { Bytes } from '../settings/node-types.ts';
import { flag, given, number, type OptionsOf, word } from '../settings/options.ts';
import { codeOfError, feedRead } from '../telemetry/telemetry.ts';
import { headerOf, objectOf, textOf } from '../transport/http-response.ts';
import { CallShape, type RunningAgentOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';
import { isTooLarge } from './message-state.ts';
import type { SentMessages } from './sent-messages.ts';

const DEFAULT_LIMIT = 100;

/** Which messages to read. */
export interface FetchInboundOptions extends OptionsOf<FetchInboundShape> {}

export class FetchInboundShape extends CallShape {
  /** Only messages after this row, oldest first. */
  sinceId = given<string>();
  /** Only messages of this workspace. */
  peerId = given<string>();
  /** Only messages before this RFC 3339 time. */
  beforeTs = given<string>();
  /** Rows per page, 1–500. @default 100 */
  limit = number({ min: 1, max: 500, isInteger: true, byDefault: undefined });
  /** Only messages of the last n seconds. */
  sinceSecs = number({ min: 1, max: Number.MAX_SAFE_INTEGER, isInteger: true, byDefault: undefined });
  /** How long the platform may hold the request until a message arrives, in whole seconds, 0–60. @default 0 */
  waitSecs = number({ min: 0, max: 60, isInteger: true, byDefault: undefined });
  /** Only messages not yet acknowledged, oldest first. @default false */
  unacknowledged = flag(undefined);
  /** Which rows a page without `sinceId` takes: the oldest or the newest. @default the oldest with `sinceSecs`, else the newest */
  order = word(['asc', 'desc'], undefined);
}

/** Options of a read of a running agent, which claims the messages of the workspace for it. */
export interface ReadInboundOptions extends FetchInboundOptions, RunningAgentOptions {
  /** Ends another agent that reads for the workspace. @default false: the read is refused while there is one */
  takeover?: boolean | undefined;
  /** Whether not to wait while as many reads of this process are held as `maxHeldReads` allows. @default false */
  takesTurns?: boolean | undefined;
}

/** One page of the inbound feed. */
export interface InboundPage {
  /** Oldest first. */
  readonly messages: readonly InboundMessage[];
  /** Number of rows that the platform sent. */
  readonly rows: number;
  /** Number of rows that are not messages to this agent, were handled by a push, or are answers that a call has returned. */
  readonly skipped: number;
  /** The id of the last row, even if it is not a message: the cursor may move past it. `null` for an empty page. */
  readonly lastRowId: string | null;
  /** The first row, even if it is not a message, with its RFC 3339 time (`''` if it has none). `null` for an empty page. */
  readonly oldestRow: { readonly id: string; readonly at: string } | null;
  readonly hasMore: boolean;
  /** Whether the platform supports held requests; if not, poll at an interval. */
  readonly waitApplied: boolean;
  /** Whether the wait was not asked for, because it was not the turn of this agent: see `maxHeldReads`. @default false */
  readonly isOutOfTurn?: boolean | undefined;
}

export interface Acknowledgement {
  /** False when the platform is too old to support acknowledgements; then only the cursor counts. */
  readonly isSupported: boolean;
  /** Number of rows that were not acknowledged before. */
  readonly acknowledged: number;
  /** The state of each message that an outcome named; `unknown` for a row that the feed does not have. */
  readonly outcomes: readonly { readonly activityId: string; readonly state: string }[];
}

/** How the handling of one message ended. */
export interface MessageOutcome {
  readonly activityId: string;
  /** `accepted` acknowledges the row without ending the message. */
  readonly outcome: OutcomeWord;
  /** What the sender receives: a text of at most 4 000 characters, and a short machine word. */
  readonly error?: { readonly message: string; readonly code?: string | undefined } | undefined;
}

export class AcknowledgeShape extends CallShape {
  /** At most 500. */
  outcomes = given<readonly MessageOutcome[]>();
}

export interface AcknowledgeOptions extends OptionsOf<AcknowledgeShape> {}

/**
 * Reads one page of the inbound feed.
 * @param sentMessages a message that says what a call returns is left out
 */
export async function readInboundPage(
  context: ClientContext,
  sentMessages: Pick<SentMessages, 'known' | 'observe'>,
  options: ReadInboundOptions,
): Promise<InboundPage> {
  const { workspaceId, platformUrl } = context.settings;
  const { limit = DEFAULT_LIMIT, waitSecs = 0, signal } = options;
  let received: Bytes | undefined;
  try {
    const { api, logger } = context;
    const peerId = options.peerId || undefined;
    const turn = options.takesTurns && waitSecs > 0 ? context.heldReads.take('feed') : undefined;
    const response = await api
      .getActivity(workspaceId, {
        ...options,
        type: 'a2a_receive',
        sinceId: options.sinceId || undefined,
        peerId,
        beforeTs: options.beforeTs || undefined,
        limit,
        waitSecs: turn === null ? 0 : waitSecs,
        unacknowledged: options.unacknowledged === true ? true : undefined,
        view: api.capabilities.words.has('compact-feed') ? 'compact' : undefined,
        onTooLarge: (bytes) => {
          received = bytes;
        },
      })
      .finally(() => turn?.());
    const { body = null, status } = response;
    if (body !== null && !Array.isArray(body) && !Array.isArray(objectOf(body)?.items)) {
      const params = { id: workspaceId };
      throw unreadable(routes.listActivity, { params }, status, 'a list of rows was expected');
    }
    const { words } = api.capabilities;
    const parsing = { self: workspaceId, hasCheckedAnswers: words.has('questions') };
    const known = () => sentMessages.known();
    const feed = await parseClaims(
      (hasSent) => parseActivityFeed(body as JsonValue, { ...parsing, hasSent }),
      known,
    );
    // Without acknowledgements, a row with a response was handled: by a push, or by an earlier reader.
    const showsHandled = !words.has('acknowledge');
    const expected = feed.deliverable.filter(
      (message) =>
        !(message.inReplyTo !== '' && sentMessages.observe(message)) &&
        !(showsHandled && (message.raw.response_body ?? null) !== null) &&
        (peerId === undefined || message.peerId.toLowerCase() === peerId.toLowerCase()),
    );
    const { whole, endsBefore } = await fetchWholeMessages(context, expected, signal, (row) =>
      parseClaims((hasSent) => parseActivityRow(row, { ...parsing, hasSent }), known),
    );
    const messages = whole.map((message) => {
      const { agentCardUrl, peerId: sender, raw } = message;
      // A compact row does not have the address of the peer's card.
      const hasCard = agentCardUrl !== '' || sender === '' || !Array.isArray(raw.parts);
      const url = hasCard ? agentCardUrl : `${platformUrl}/registry/discover/${sender}`;
      return receivedMessage({ ...message, agentCardUrl: url }, workspaceId);
    });
    const sent = feed.deliverable.length + feed.skipped;
    const unreadableRows = sent - feed.rows.length;
    if (unreadableRows > 0)
      logger.warn(
        { unreadable: unreadableRows },
        'The feed contains rows that are not objects or have no id.',
      );
    const more = headerOf(response, 'x-has-more');
    const end = feed.rows.findIndex((row) => row.id === endsBefore?.id);
    const rows = endsBefore === undefined ? sent : end;
    const oldest = feed.rows[0];
    const oldestId = textOf(oldest?.id);
    const result = rows === 0 ? 'empty' : 'rows';
    feedRead({ 'molecule.workspace.id': workspaceId, 'molecule.result': result, 'molecule.rows': rows });
    return {
      messages,
      rows,
      skipped: rows - messages.length,
      lastRowId: endsBefore === undefined ? feed.lastRowId : (textOf(feed.rows[end - 1]?.id) ?? null),
      oldestRow:
        oldestId === undefined
          ? null
          : { id: oldestId, at: textOf(oldest?.created_at) ?? textOf(oldest?.ts) ?? '' },
      hasMore: endsBefore !== undefined || (more === undefined ? sent >= limit : more === 'true'),
      waitApplied: headerOf(response, 'x-wait-applied') !== undefined,
      ...(turn === null ? { isOutOfTurn: true } : {}),
    };
  } catch (error) {
    feedRead({ 'molecule.workspace.id': workspaceId, 'molecule.result': codeOfError(error) });
    throw isTooLarge(error) && received ? pageTooLarge(error, limit, firstRowOf(received)) : error;
  }
}

/** Reports how far the agent is, and how messages ended. */
export async function acknowledge(
  { api, settings, logger }: ClientContext,
  upTo: string | number | null,
  { outcomes = [], signal }: AcknowledgeOptions,
): Promise<Acknowledgement> {
  const ended = outcomes.map(({ activityId: activity_id, outcome, error }) => ({
    activity_id,
    outcome,
    error,
  }));
  const body = { up_to: upTo ?? undefined, outcomes: ended.length === 0 ? undefined : ended };
  try {
    const input = { params: { id: settings.workspaceId }, body, signal };
    const response = await api.call(routes.acknowledgeActivity, input);
    const states = response.outcomes ?? [];
    return {
      isSupported: true,
      acknowledged: response.acknowledged,
      outcomes: states.map(({ activity_id: activityId, state }) => ({ activityId, state })),
    };
  } catch (error) {
    const isUnknownRoute =
      ApiError.isInstance(error) && (error.code === 'routing_problem' || error.status === 405);
    if (!isUnknownRoute) throw error;
    logger.debug({ error }, 'The platform does not support acknowledgements.');
    return { isSupported: false, acknowledged: 0, outcomes: [] };
  }
}

/** Of the rows that are fetched whole for one page, in bytes; the page ends when they are more. */
const MAX_WHOLE_BYTES = 16 * 1024 * 1024;
/** Longer texts are not ids. */
const MAX_FIELD_BYTES = 2_000;

/**
 * Fetches the rows that the platform cut. The page ends before the first message for which there is no room; `undefined` when it has all.
 * @throws PageTooLargeError when the first message of the page is itself larger than a response may be.
 */
async function fetchWholeMessages(
  { api, settings }: ClientContext,
  messages: readonly InboundMessage[],
  signal: AbortSignal | undefined,
  parse: (row: JsonValue) => Promise<InboundMessage | null>,
): Promise<{ whole: readonly InboundMessage[]; endsBefore: InboundMessage | undefined }> {
  const whole: InboundMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    const { id, messageId, sourceId, seq, raw } = message;
    if (raw.truncated !== true) {
      whole.push(message);
      continue;
    }
    if (bytes > MAX_WHOLE_BYTES) return { whole, endsBefore: message };
    const params = { id: settings.workspaceId, activityId: id };
    try {
      const input = { params, query: { view: 'compact' }, signal };
      const response = await api.send(routes.getActivityRow, input);
      whole.push((await parse(response.body as JsonValue)) ?? message);
      bytes += Number(headerOf(response, 'content-length') ?? 0);
    } catch (error) {
      // Pruned since the page was read, or a platform without this route: what there is of it is handled.
      if (ApiError.isInstance(error) && error.status === 404) whole.push(message);
      else if (!isTooLarge(error)) throw error;
      else if (message !== messages[0]) return { whole, endsBefore: message };
      else throw pageTooLarge(error, 1, { id, messageId, sourceId, seq });
    }
  }
  return { whole, endsBefore: undefined };
}

/** The row that a response begins with, although the rest of it is missing; `null` when it does not name one. */
export function firstRowOf(received: Bytes): UnreadRow | null {
  const fields = fieldsOfFirstRow(received);
  const text = (name: string): string => String(fields.get(name) ?? '');
  const seq = fields.get('seq');
  if (text('id') === '') return null;
  return {
    id: text('id'),
    messageId: text('message_id'),
    sourceId: text('source_id'),
    seq: typeof seq === 'number' && Number.isSafeInteger(seq) ? seq : null,
  };
}

function pageTooLarge(cause: ApiError, limit: number, firstRow: UnreadRow | null): PageTooLargeError {
  const { status, method, path } = cause;
  const hint = 'Read with a smaller limit, or raise maxResponseBytes.';
  return new PageTooLargeError(cause.message, { status, method, path, limit, firstRow, hint, cause });
}

const TOKEN = /[{}[\]:,]|-?\d[\d.eE+-]*/y;
const SPACE = /(?:\s|true|false|null)*/y;

/** The texts and numbers of the first object inside a list, as far as they were received. */
function fieldsOfFirstRow(received: Bytes): Map<string, string | number> {
  const fields = new Map<string, string | number>();
  const text = received.toString('latin1');
  let path = '';
  /** Inside a row: of a bare list, or of the list `items` of an object. */
  let rowPath = '[{';
  let key: string | undefined;
  let isValue = false;
  for (let at = 0; at < text.length; ) {
    SPACE.lastIndex = at;
    SPACE.exec(text);
    const start = SPACE.lastIndex;
    const end = text[start] === '"' ? endOfString(text, start) : endOfToken(text, start);
    if (end <= start) break;
    const first = text[start] ?? '';
    at = end;
    if (first === '{' || first === '[') {
      path += first;
      if (path === '{[{') rowPath = path;
    } else if (first === '}' || first === ']') {
      if (path === rowPath) break;
      path = path.slice(0, -1);
    } else if (path === rowPath) {
      if (first === ':') isValue = true;
      else if (first === ',') isValue = false;
      else if (end - start <= MAX_FIELD_BYTES) {
        const value = JSON.parse(Buffer.from(text.slice(start, end), 'latin1').toString('utf8'));
        if (isValue && key !== undefined) fields.set(key, value);
        else key = String(value);
      }
    }
  }
  return fields;
}

function endOfToken(text: string, start: number): number {
  TOKEN.lastIndex = start;
  return TOKEN.test(text) ? TOKEN.lastIndex : -1;
}

/** The place after the quote that ends the string at `start`; -1 when the text ends before. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text[end - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return end + 1;
  }
  return -1;
}
