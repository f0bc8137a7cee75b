import {
  type InboundMessage,
  type InboundSource,
  isMessageState,
  type JsonValue,
  type MessageState,
  parseActivityRow,
  stripA2aBoundary,
} from '@molecule-ai/protocol';
import { invalidArgument } from '../errors/molecule-error.ts';
import { receivedMessage } from '../peers/received-values.ts';
import { messageForModel } from '../peers/text-for-model.ts';
import type { ActivityEntry } from '../platform-api/activity.ts';
import { given, number, type OptionsOf } from '../settings/options.ts';
import { objectOf, textOf } from '../transport/http-response.ts';
import { CallShape } from '../transport/platform-request.ts';
import { type ModelText, ownWords } from '../trust-boundary/fence.ts';
import type { ClientContext } from './client-context.ts';

const DEFAULT_ROWS = 50;
const _MAX_ROWS = 200;
const CONVERSATION = /^[0-9a-f]{32}$/i;
/** How many answers `before` names. */
const MAX_GIVEN = 100;
const GIVEN = /^\S{1,200}$/;

export class HistoryShape extends CallShape {
  /** At most so many rows of the feed, the latest, 1–200; a message and its answer are mostly one row. @default 50 */
  limit = number({ min: 1, max: 200, isInteger: true, byDefault: undefined });
  /**
   * Only what came before: `before` of a page, or the id of a row.
   * @default the end of the conversation; in a handler the message that is handled
   */
  before = given<string>();
}

export interface HistoryOptions extends OptionsOf<HistoryShape> {}

/** What one side said in a conversation. Texts of others are untrusted: a model gets `forModel()`. */
export interface HistoryEntry {
  /** The id of the row; of an answer that has no row of its own `answer-<id of the row>`. */
  readonly id: string;
  /** `in`: the agent received it. `out`: the agent said it. */
  readonly direction: 'in' | 'out';
  /** Who wrote; `agent` for the agent itself. */
  readonly source: InboundSource | 'agent';
  /** The workspace that wrote; `''` unless `source` is `peer_agent`. */
  readonly peerId: string;
  /** The id that the sender gave the message; `''` for what the agent said. */
  readonly messageId: string;
  /** The `messageId` of the message that this one answers; `''` for none. */
  readonly inReplyTo: string;
  /** For people and programs; without boundary markers. `''` where there are only files or data. */
  readonly text: string;
  /** When the platform stored it, RFC 3339; `''` for an answer that has no row of its own. */
  readonly sentAt: string;
  /** What became of a message to the agent, such as `answered`; `''` for what the agent said, and where the platform does not say. */
  readonly state: MessageState | '';
  /** Whether the platform cut the text, which is longer than 256 KiB. */
  readonly isTruncated: boolean;
  /** The text for a model: of the user and of the agent itself unchanged, of anyone else fenced. The same bytes each time for one entry. */
  forModel(): ModelText;
}

export interface HistoryPage {
  /** Oldest first. */
  readonly entries: readonly HistoryEntry[];
  /** The option `before` for the page before this one, as it is; `null` when there is none. */
  readonly before: string | null;
}

/** See `PeerClient.conversationHistory`. */
export async function readConversationHistory(
  { api, settings }: ClientContext,
  conversationId: string,
  { limit = DEFAULT_ROWS, before, signal }: HistoryOptions,
): Promise<HistoryPage> {
  if (!CONVERSATION.test(conversationId)) {
    throw invalidArgument('The conversation must be the `conversationId` of a message.');
  }
  const { workspaceId } = settings;
  const [beforeId, ...given] = before?.split(' ') ?? [];
  const filters = { conversationId, beforeId, direction: 'all', order: 'desc', limit, signal } as const;
  const page = await api.listActivity(workspaceId, filters);
  const rows = page.rows.toReversed();
  const end = rows.findIndex(({ id }) => id === beforeId);
  const { words } = api.capabilities;
  // Without the parameter `before_id` a platform sends its latest page, in which the row may not be.
  const isLatest = beforeId !== undefined && !words.has('history');
  const known = rows
    .slice(0, end === -1 && !isLatest ? rows.length : Math.max(end, 0))
    .flatMap((row) => readRow(row, workspaceId, words.has('questions'), conversationId.toLowerCase()));
  const { entries, alone } = entriesOf(known, new Set(given));
  const oldest = page.rows.at(-1)?.id ?? null;
  const isContinued = page.hasMore && oldest !== null && words.has('history');
  return { entries, before: isContinued ? [oldest, ...alone].join(' ') : null };
}

/** A row of the conversation; `message` is null for what the agent said. */
interface HistoryRow {
  readonly row: ActivityEntry;
  readonly message: InboundMessage | null;
  /** The id of the answer in the row: of a person's message that of the row of the answer. A continued message and its continuation share it. */
  readonly answerId: string;
}

/** A platform that does not know the filter sends rows of other conversations too. */
function readRow(
  row: ActivityEntry,
  self: string,
  hasCheckedAnswers: boolean,
  conversationId: string,
): HistoryRow[] {
  const isOf = (id: string): boolean => id.toLowerCase() === conversationId;
  if (row.direction === 'out') {
    // On a platform that takes every method a peer can send `notify`.
    const isOwn = row.sourceId === '' || row.sourceId.toLowerCase() === self.toLowerCase();
    const isSaid = row.method === 'notify' && isOwn && row.text !== '' && isOf(row.conversationId);
    return isSaid ? [{ row, message: null, answerId: '' }] : [];
  }
  const parsed = parseActivityRow(row.raw as JsonValue, { self, hasCheckedAnswers });
  if (parsed === null) return [];
  const message = receivedMessage(parsed, self);
  if (!isOf(message.conversationId)) return [];
  const result = objectOf(objectOf(row.raw.response_body)?.result);
  return [{ row, message, answerId: textOf(result?.messageId) ?? '' }];
}

/**
 * An answer comes after its message, and where a message was continued after a question, after the last of them. Without its message
 * an answer to a person has its own place.
 * @param given ids of the answers whose message is not on the pages after this one, which have the answers
 * @returns `alone`: the same for the page before this one
 */
function entriesOf(
  rows: readonly HistoryRow[],
  given: ReadonlySet<string>,
): { readonly entries: HistoryEntry[]; readonly alone: readonly string[] } {
  const messages = new Set<string>();
  const ownRows = new Map<string, ActivityEntry>();
  const answers = new Set<string>();
  const lastRowOf = new Map<string, string>();
  const alone = new Set(given);
  for (const { row, message, answerId } of rows) {
    if (message === null) ownRows.set(row.id, row);
    else messages.add(row.id).add(row.messageId);
    if (message === null || row.answer === '' || answerId === '') continue;
    answers.add(answerId);
    if (message.answers.length === 0) continue;
    lastRowOf.set(JSON.stringify([answerId, row.answer]), row.id);
    alone.add(answerId);
  }
  const entries = rows.flatMap(({ row, message, answerId }) => {
    if (message === null) {
      if (answers.has(row.id)) return [];
      if (row.inReplyTo !== '' && !messages.has(row.inReplyTo)) alone.add(row.id);
      return [ownEntry(row, { id: row.id, inReplyTo: row.inReplyTo, sentAt: row.createdAt })];
    }
    const received = receivedEntry(row, message);
    if (row.answer === '') return [received];
    const isRepeated = (lastRowOf.get(JSON.stringify([answerId, row.answer])) ?? row.id) !== row.id;
    if (isRepeated || given.has(answerId)) return [received];
    const about = { id: `answer-${row.id}`, inReplyTo: row.messageId, sentAt: '' };
    return [received, ownEntry(ownRows.get(answerId) ?? row, about)];
  });
  for (const { message, answerId } of rows) if (message?.answers.length === 0) alone.delete(answerId);
  return { entries, alone: [...alone].filter((id) => GIVEN.test(id)).slice(-MAX_GIVEN) };
}

function receivedEntry(row: ActivityEntry, message: InboundMessage): HistoryEntry {
  const { id, source, peerId, messageId, inReplyTo, text, receivedAt } = message;
  return {
    id,
    direction: 'in',
    source,
    peerId,
    messageId,
    inReplyTo,
    text: inReplyTo === '' ? text : stripA2aBoundary(text),
    sentAt: receivedAt,
    state: stateOf(row.deliveryState),
    isTruncated: row.raw.truncated === true && inReplyTo !== '',
    forModel: () => messageForModel(message),
  };
}

/** What the agent said, in a row of its own or in that of the message. */
function ownEntry(
  row: ActivityEntry,
  about: Pick<HistoryEntry, 'id' | 'inReplyTo' | 'sentAt'>,
): HistoryEntry {
  const text = row.direction === 'out' ? row.text : row.answer;
  return {
    ...about,
    direction: 'out',
    source: 'agent',
    peerId: '',
    messageId: '',
    text,
    state: '',
    isTruncated: row.raw.truncated === true,
    forModel: () => ownWords(text),
  };
}

/** The state of a message, which is queued until its agent has it. */
function stateOf(word: string): MessageState | '' {
  if (word === 'pending' || word === 'leased') return 'queued';
  if (word === 'acknowledged') return 'delivered';
  return isMessageState(word) ? word : '';
}
