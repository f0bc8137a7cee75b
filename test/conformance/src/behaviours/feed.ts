import { behaviours } from './behaviour.ts';

export const FEED = behaviours({
  'feed.inbound-is-the-default': [
    'Reads of type a2a_receive show received messages, and with direction=all the whole history.',
    'docs/contract/feed.md#inbound-feed-and-history; docs/decisions/0014-activity-rows.md',
  ],
  'feed.row-superset': [
    'A message on the feed has all documented keys.',
    'docs/contract/feed.md#rows; docs/decisions/0014-activity-rows.md',
  ],
  'feed.row-knows-its-answer': [
    'A message on the feed shows whether it is still worked on, and then its answer.',
    'docs/contract/feed.md#rows; docs/contract/messages.md#push-delivery',
  ],
  'feed.compact': [
    'With view=compact the feed has each fact of a message once.',
    'docs/contract/feed.md#compact-rows; docs/decisions/0042-compact-feed.md',
  ],
  'feed.filters': [
    'The feed can be filtered by type, source, peer, time and row.',
    'docs/contract/feed.md#reading-a-page; docs/contract/compatibility.md#remote-workspaces-guide',
  ],
  'feed.order': [
    'Without a cursor an agent reads its messages oldest first, and operators the newest first.',
    'docs/contract/feed.md#order; docs/decisions/0046-cold-start-in-order.md',
  ],
  'feed.cursor.gone': [
    'A cursor that the feed does not have is a 410 cursor_not_found.',
    'docs/contract/feed.md#cursor',
  ],
  'feed.page.bounded': [
    'A page of the feed has at most 4 MiB, and its headers say how to read on.',
    'docs/contract/feed.md#sizes; docs/decisions/0105-feed-pages.md',
  ],
  'feed.answer.cut-in-rows': [
    'An answer over 256 KiB that a feed or history cuts is marked, and can be read whole.',
    'docs/contract/feed.md#sizes; docs/decisions/0105-feed-pages.md',
  ],
  'feed.wait.returns-with-the-message': [
    'A read can wait up to 60 s and returns with the next message.',
    'docs/contract/feed.md#long-poll; docs/decisions/0013-long-poll.md',
  ],
  'feed.wait.many-readers': [
    'A workspace can have 500 waiting reads, and one more ends the longest waiting.',
    'docs/contract/feed.md#long-poll; docs/decisions/0013-long-poll.md',
  ],
  'feed.ack.covers-the-prefix': [
    'An acknowledgement covers all received messages up to the one it names, and never goes back.',
    'docs/contract/feed.md#acknowledgement; docs/decisions/0012-delivery-guarantee.md',
  ],
  'feed.ack.pending-and-unacknowledged': [
    'unacknowledged=true lists what an agent has not acknowledged, and heartbeats count what is unanswered.',
    'docs/contract/feed.md#acknowledgement; docs/decisions/0012-delivery-guarantee.md',
  ],
  'feed.retention': [
    'Only ended messages, with their questions, are deleted, after 7 days or above 1 GiB in a workspace.',
    'docs/contract/feed.md#retention; docs/contract/limits.md#finished-messages',
  ],
  'feed.report': [
    'An agent can report its own work on its feed, and only in its own name.',
    'docs/contract/feed.md#reports-of-an-agent',
  ],
});
