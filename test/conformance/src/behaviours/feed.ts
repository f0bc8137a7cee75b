import { behaviours } from './behaviour.ts';

/** The activity feed: reading, waiting, acknowledging, reporting. */
export const FEED = behaviours({
  'feed.cursor.gone': [
    'A cursor the feed does not have, the nil UUID or another workspace’s row, is a 410 cursor_not_found.',
    'docs/contract/feed.md#cursor',
  ],
  'feed.bad-query-is-400': [
    'A malformed before_ts, peer_id, since_secs, source, order or wait is a 400 naming the field.',
    'docs/contract/feed.md#reading-a-page',
  ],
  'feed.pages-without-gaps': [
    'Paging 250 rows by since_id gives 100, 100 and 50, ascending, none missing and none twice.',
    'docs/contract/feed.md#cursor',
  ],
  'feed.paging-while-messages-arrive': [
    'Paging while messages keep arriving misses none and repeats none.',
    'docs/contract/feed.md#cursor',
  ],
  'feed.row-superset': [
    'An inbound row carries the keys of both generations, the message and context id and the delivery state.',
    'docs/contract/feed.md#rows; docs/decisions/0014-activity-rows.md',
  ],
  'feed.page.bounded': [
    'A page of large messages has at most 4 MiB; paging by the headers gives each of them whole and once.',
    'docs/contract/feed.md#sizes; docs/decisions/0105-feed-pages.md',
  ],
  'feed.page.parallel-reads': [
    'Twelve parallel reads of a feed of large messages each get a bounded page, and other requests get their responses.',
    'docs/contract/feed.md#sizes; docs/decisions/0105-feed-pages.md',
  ],
  'feed.answer.cut-in-rows': [
    'An answer of several MiB is cut in rows, wrapped and marked as truncated, and whole in the route of its row.',
    'docs/contract/feed.md#sizes; docs/decisions/0105-feed-pages.md',
  ],
  'feed.compact': [
    'A compact row has each fact of a message once, and less than 700 bytes for a short one; the full row is the default.',
    'docs/contract/feed.md#compact-rows; docs/decisions/0042-compact-feed.md',
  ],
  'feed.wait.many-readers': [
    'Of more than five hundred waiting reads of one workspace the longest waiting end empty; the others get the message.',
    'docs/contract/feed.md#long-poll',
  ],
  'feed.people-are-canvas-users': [
    'A message of the operator has source canvas_user and no source_id.',
    'docs/contract/feed.md#rows; docs/contract/compatibility.md#python-sdk-readme',
  ],
  'feed.inbound-is-the-default': [
    'The feed of type a2a_receive shows inbound rows only: neither own notifications nor self-reported rows.',
    'docs/contract/feed.md#inbound-feed-and-history; docs/decisions/0014-activity-rows.md',
  ],
  'feed.history-is-all': [
    'direction=all shows the whole chat, notifications included.',
    'docs/decisions/0014-activity-rows.md',
  ],
  'feed.filters': [
    'type, source, peer_id, before_ts, since_secs, limit and order narrow the feed.',
    'docs/contract/feed.md#reading-a-page; docs/contract/compatibility.md#remote-workspaces-guide',
  ],
  'feed.newest-first-without-a-cursor': [
    'For operators, and for an agent that asks for other rows than its messages, the newest row comes first without a cursor and the oldest after one.',
    'docs/contract/feed.md#order; docs/decisions/0046-cold-start-in-order.md',
  ],
  'feed.oldest-first-for-its-agent': [
    'An agent that reads its messages without a cursor or an order gets the newest page, or with since_secs the oldest of that time, with the oldest row first; X-Has-More says whether rows follow X-Next-Cursor.',
    'docs/contract/feed.md#order; docs/decisions/0046-cold-start-in-order.md',
  ],
  'feed.paused.hidden-until-the-resume': [
    'What is stored while a workspace is paused is not in the reads of its agent, but in those of operators; after the resume the cursor finds all of it.',
    'docs/contract/feed.md#paused-workspaces; docs/decisions/0047-paused-means-silent.md',
  ],
  'feed.paused.wait-ends-with-the-resume': [
    'A waiting read of a paused workspace returns at the resume with what was stored meanwhile, and not before.',
    'docs/contract/feed.md#paused-workspaces; docs/decisions/0047-paused-means-silent.md',
  ],
  'feed.paused.not-acknowledged': [
    'While a workspace is paused no acknowledgement covers a hidden row: its id is a 404, its seq means the last row before, an outcome for it is unknown.',
    'docs/contract/feed.md#paused-workspaces; docs/decisions/0047-paused-means-silent.md',
  ],
  'feed.paused.cursor': [
    'While a workspace is paused its agent cannot use a hidden row as a cursor, and a reply does not end a hidden message.',
    'docs/contract/feed.md#paused-workspaces; docs/decisions/0047-paused-means-silent.md',
  ],
  'feed.paused.cancellations': [
    'Control rows are read while a workspace is paused, so that its agent stops what was canceled.',
    'docs/contract/feed.md#paused-workspaces; docs/decisions/0047-paused-means-silent.md',
  ],
  'feed.wait.returns-with-the-message': [
    'A waiting read returns when a message arrives, not when its time is over.',
    'docs/contract/feed.md#long-poll; docs/decisions/0013-long-poll.md',
  ],
  'feed.wait.is-confirmed': [
    'A waiting read is confirmed by X-Wait-Applied, and a read that did not ask has no such header.',
    'docs/decisions/0013-long-poll.md',
  ],
  'feed.wait.ends-empty': [
    'A waiting read that nothing arrives for ends with an empty list in time.',
    'docs/decisions/0013-long-poll.md',
  ],
  'feed.wait.bounds': [
    'wait takes whole seconds from 0 to 60.',
    'docs/contract/feed.md#reading-a-page; docs/decisions/0013-long-poll.md',
  ],
  'feed.wait.costs-no-sql': [
    'Five hundred waiting reads run no SQL while they wait.',
    'docs/decisions/0013-long-poll.md',
  ],
  'feed.wait.wakes-only-its-own': [
    'A message wakes the waiting reads of its own target and no others.',
    'docs/decisions/0013-long-poll.md',
  ],
  'feed.wait.ends-with-the-platform': [
    'A stopping platform sends waiting reads away instead of letting them hang.',
    'docs/contract/feed.md#long-poll; docs/decisions/0013-long-poll.md',
  ],
  'feed.ack.covers-the-prefix': [
    'An acknowledgement covers every row up to the one it names, by id or seq, and never goes back.',
    'docs/contract/feed.md#acknowledgement; docs/decisions/0012-delivery-guarantee.md',
  ],
  'feed.ack.pending-and-unacknowledged': [
    'Heartbeats count the messages that wait, and unacknowledged=true shows them, oldest first.',
    'docs/contract/feed.md#acknowledgement; docs/decisions/0012-delivery-guarantee.md',
  ],
  'feed.ack.answered-is-not-acknowledged': [
    'unacknowledged=true shows an answered message until it is acknowledged; heartbeats no longer count it.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'feed.ack.inbound-only': [
    'Only inbound rows are acknowledged: the id of another row is a 400, its seq means the one before, an outcome unknown.',
    'docs/contract/feed.md#acknowledgement',
  ],
  'feed.ack.unknown-row': [
    'Acknowledging a row that the feed does not have is a 404.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'feed.ack.keeps-unacknowledged-rows': [
    'Rows whose message has not ended are never pruned, also when they were read; those that have ended are after the retention time.',
    'docs/contract/feed.md#retention; docs/decisions/0045-agents-that-never-acknowledge.md',
  ],
  'feed.cursor.rotated-out': [
    'A cursor whose row was pruned is a 410, and the unacknowledged rows can still be read.',
    'docs/contract/feed.md#cursor; docs/decisions/0012-delivery-guarantee.md',
  ],
  'feed.report.is-logged': [
    'A workspace reports its own work as activity, which is not an inbound message.',
    'docs/contract/feed.md#reports-of-an-agent',
  ],
  'feed.report.source-must-be-self': [
    'A report in another workspace’s name is a 403, and one of an unknown type a 400.',
    'docs/contract/feed.md#reports-of-an-agent',
  ],
  'notify.reaches-the-history': [
    'A notify with 81 multi-byte characters is kept whole in the history and not in the inbound feed.',
    'docs/contract/messages.md#messages-to-the-user; docs/contract/limits.md#fields',
  ],
  'notify.idempotency-key': [
    'A notify repeated with the same idempotency key is one row, and with another text a 409.',
    'docs/contract/messages.md#messages-to-the-user; docs/decisions/0012-delivery-guarantee.md',
  ],
  'notify.needs-a-message': [
    'A notify without a message, or with an attachment without uri and name, is a 400.',
    'docs/contract/messages.md#messages-to-the-user',
  ],
});
