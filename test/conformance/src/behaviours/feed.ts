import { behaviours } from './behaviour.ts';

/** The activity feed: reading, waiting, acknowledging, reporting. */
export const FEED = behaviours({
  'feed.cursor.gone': [
    'A cursor the feed does not have, the nil UUID or another workspace’s row, is a 410 cursor_not_found.',
    'wire contract 3.23, 10.2, 10.3 vector 12',
  ],
  'feed.bad-query-is-400': [
    'A malformed before_ts, peer_id, since_secs, source, order or wait is a 400 naming the field.',
    'wire contract 3.23, 10.3 vector 12',
  ],
  'feed.pages-without-gaps': [
    'Paging 250 rows by since_id gives 100, 100 and 50, ascending, none missing and none twice.',
    'wire contract 10.3 vector 13',
  ],
  'feed.paging-while-messages-arrive': [
    'Paging while messages keep arriving misses none and repeats none.',
    'wire contract 10.3 vector 13, 9 weakness 34',
  ],
  'feed.row-superset': [
    'An inbound row carries the keys of both generations, the message and context id and the delivery state.',
    'decision 14; wire contract 10.2; seed 003',
  ],
  'feed.people-are-canvas-users': [
    'A message of the operator has source canvas_user and no source_id.',
    'wire contract 3.23; seed 003',
  ],
  'feed.inbound-is-the-default': [
    'The feed of type a2a_receive shows inbound rows only: neither own notifications nor self-reported rows.',
    'decision 14; wire contract 9 weakness 31',
  ],
  'feed.history-is-all': ['direction=all shows the whole chat, notifications included.', 'decision 14'],
  'feed.filters': [
    'type, source, peer_id, before_ts, since_secs, limit and order narrow the feed.',
    'wire contract 3.23; seed 000, fetch_inbound',
  ],
  'feed.newest-first-without-a-cursor': [
    'Without a cursor the newest row comes first, after a cursor the oldest.',
    'wire contract 3.23, 8 row 27',
  ],
  'feed.wait.returns-with-the-message': [
    'A waiting read returns when a message arrives, not when its time is over.',
    'decision 13; wire contract 10.3 vector 14',
  ],
  'feed.wait.is-confirmed': [
    'A waiting read is confirmed by X-Wait-Applied, and a read that did not ask has no such header.',
    'decision 13',
  ],
  'feed.wait.ends-empty': [
    'A waiting read that nothing arrives for ends with an empty list in time.',
    'decision 13',
  ],
  'feed.wait.bounds': ['wait takes whole seconds from 0 to 60.', 'decision 13; wire contract 10.2'],
  'feed.wait.costs-no-sql': ['Five hundred waiting reads run no SQL while they wait.', 'decision 13'],
  'feed.wait.wakes-only-its-own': [
    'A message wakes the waiting reads of its own target and no others.',
    'decision 13',
  ],
  'feed.wait.ends-with-the-platform': [
    'A stopping platform sends waiting reads away instead of letting them hang.',
    'decision 13; wire contract 9 weakness 35',
  ],
  'feed.ack.covers-the-prefix': [
    'An acknowledgement covers every row up to the one it names, by id or seq, and never goes back.',
    'decision 12; wire contract 10.2',
  ],
  'feed.ack.pending-and-unacknowledged': [
    'Heartbeats count the messages that wait, and unacknowledged=true shows them, oldest first.',
    'decision 12; wire contract 10.2',
  ],
  'feed.ack.answered-is-not-acknowledged': [
    'unacknowledged=true shows an answered message until it is acknowledged; heartbeats no longer count it.',
    'decision 12',
  ],
  'feed.ack.unknown-row': ['Acknowledging a row that the feed does not have is a 404.', 'decision 12'],
  'feed.ack.keeps-unacknowledged-rows': [
    'Rows that were not acknowledged are never pruned; acknowledged ones are after the retention time.',
    'decision 12; wire contract 1.6',
  ],
  'feed.cursor.rotated-out': [
    'A cursor whose row was pruned is a 410, and the unacknowledged rows can still be read.',
    'decision 12; wire contract 7',
  ],
  'feed.report.is-logged': [
    'A workspace reports its own work as activity, which is not an inbound message.',
    'wire contract 3.23',
  ],
  'feed.report.source-must-be-self': [
    'A report in another workspace’s name is a 403, and one of an unknown type a 400.',
    'wire contract 3.23',
  ],
  'notify.reaches-the-history': [
    'A notify with 81 multi-byte characters is kept whole in the history and not in the inbound feed.',
    'wire contract 3.24, 10.3 vector 21, 9 weakness 26',
  ],
  'notify.idempotency-key': [
    'A notify repeated with the same idempotency key is one row, and with another text a 409.',
    'decision 12',
  ],
  'notify.needs-a-message': [
    'A notify without a message, or with an attachment without uri and name, is a 400.',
    'wire contract 3.24',
  ],
});
