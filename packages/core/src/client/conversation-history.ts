import {
  type InboundMessage,
  type InboundSource,
  isMessageState,
  type JsonValue,
  type MessageState,
  parseActivityRow,
  stripA2aBoundary,
} from '@molecule-ai/protocol';
import { MoleculeError } from '../errors/molecule-error.ts';
import { messageForModel } from '../peers/message-for-model.ts';
import { type ActivityEntry, readActivityPage } from '../platform-api/activity.ts';
import { numberProblem } from '../settings/checked-values.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import { objectOf, textOf } from '../transport/response-body.ts';
import type { ClientContext } from './client-context.ts';
import { withConversation } from './conversation.ts';

const DEFAULT_ROWS = 50;
const MAX_ROWS = 200;
const CONVERSATION = /^[0-9a-f]{32}$/i;

export interface HistoryOptions extends CallOptions {
  /** At most so many rows of the feed, the latest, 1–200; a message and its answer are mostly one row. @default 50 */
  limit?: number | undefined;
  /**
   * Only what came before the row with this id, such as `before` of a page.
   * @default the end of the conversation; in a handler the message that is handled
   */
  before?: string | undefined;
}

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
  forModel(): string;
}

export interface HistoryPage {
  /** Oldest first. */
  readonly entries: readonly HistoryEntry[];
  /** For the page before this one; `null` when there is none. */
  readonly before: string | null;
}

/** See `PlatformClient.conversationHistory`. */
export async function readConversationHistory(
  { transport, settings }: ClientContext,
  conversationId: string,
  { limit = DEFAULT_ROWS, before, signal }: HistoryOptions,
): Promise<HistoryPage> {
  const problem =
    numberProblem('`limit`', limit, { min: 1, max: MAX_ROWS, isInteger: true }) ??
    (CONVERSATION.test(conversationId)
      ? null
      : 'The conversation must be the `conversationId` of a message.');
  if (problem !== null) throw new MoleculeError(problem, { code: 'invalid_argument' });
  const { workspaceId } = settings;
  const page = await readActivityPage(transport, workspaceId, {
    conversationId,
    beforeId: before,
    direction: 'all',
    order: 'desc',
    limit,
    signal,
  });
  const rows = page.rows.toReversed();
  const end = rows.findIndex(({ id }) => id === before);
  const checked = transport.capabilities.words.has('questions');
  const known = (end === -1 ? rows : rows.slice(0, end)).flatMap((row) =>
    readRow(row, workspaceId, checked, conversationId.toLowerCase()),
  );
  const oldest = page.rows.at(-1)?.id ?? null;
  // Without the parameter `before_id` a platform sends its latest page again.
  const isContinued = page.hasMore && oldest !== null && end === -1;
  return { entries: entriesOf(known), before: isContinued ? oldest : null };
}

/** A row of the conversation; `message` is null for what the agent said. */
interface HistoryRow {
  readonly row: ActivityEntry;
  readonly message: InboundMessage | null;
  /** The id of the answer in the row, which a continued message and its continuation share. */
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
    const isSaid = row.method === 'notify' && row.text !== '' && isOf(row.conversationId);
    return isSaid ? [{ row, message: null, answerId: '' }] : [];
  }
  const parsed = parseActivityRow(row.raw as JsonValue, { self, hasCheckedAnswers });
  if (parsed === null) return [];
  const message = withConversation(parsed, self);
  if (!isOf(message.conversationId)) return [];
  const result = objectOf(objectOf(row.raw.response_body)?.result);
  return [{ row, message, answerId: textOf(result?.messageId) ?? '' }];
}

function entriesOf(rows: readonly HistoryRow[]): HistoryEntry[] {
  const lastRowOf = new Map(rows.map(({ row, answerId }) => [answerId, row.id]));
  const answerTo = new Map(
    rows.flatMap(({ row }) => [
      [row.id, row.answer],
      [row.messageId, row.answer],
    ]),
  );
  return rows.flatMap(({ row, message, answerId }) => {
    if (message === null) {
      // An answer to a person is also in the row of the message, which may be on the page before.
      const answer = row.inReplyTo === '' ? '' : (answerTo.get(row.inReplyTo) ?? row.text);
      return answer === row.text ? [] : [ownEntry(row.id, row, row.text, row.inReplyTo, row.createdAt)];
    }
    const received = receivedEntry(row, message);
    const isRepeated = answerId !== '' && lastRowOf.get(answerId) !== row.id;
    if (row.answer === '' || isRepeated) return [received];
    return [received, ownEntry(`answer-${row.id}`, row, row.answer, row.messageId, '')];
  });
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

function ownEntry(
  id: string,
  row: ActivityEntry,
  text: string,
  inReplyTo: string,
  sentAt: string,
): HistoryEntry {
  return {
    id,
    direction: 'out',
    source: 'agent',
    peerId: '',
    messageId: '',
    inReplyTo,
    text,
    sentAt,
    state: '',
    isTruncated: row.raw.truncated === true,
    forModel: () => text,
  };
}

/** The state of a message, which is queued until its agent has it. */
function stateOf(word: string): MessageState | '' {
  if (word === 'pending' || word === 'leased') return 'queued';
  if (word === 'acknowledged') return 'delivered';
  return isMessageState(word) ? word : '';
}
