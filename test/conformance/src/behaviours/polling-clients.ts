import { behaviours } from './behaviour.ts';

const NO_ACKNOWLEDGEMENTS =
  'docs/contract/feed.md#agents-that-never-acknowledge; docs/decisions/0045-agents-that-never-acknowledge.md';

/** The channel bridge and the Python SDK, which read with a cursor and never acknowledge. */
export const POLLING_CLIENTS = behaviours({
  'polling-clients.backlog': [
    'The channel bridge handles a backlog of 150 messages on its first start, and the Python SDK the newest 100 of it, each once and in order.',
    'docs/contract/feed.md#order; docs/decisions/0046-cold-start-in-order.md',
  ],
  'polling-clients.full-inbox': [
    'A message that was refused because an inbox was full is accepted when such a client has read on, also after a restart of the platform.',
    NO_ACKNOWLEDGEMENTS,
  ],
  'polling-clients.pause': [
    'Over a pause and a resume such a client misses no message and handles none twice; what came during the pause is handled after it.',
    'docs/contract/feed.md#paused-workspaces; docs/decisions/0047-paused-means-silent.md',
  ],
  'polling-clients.only-replies': [
    'Between such clients only the first call after a message counts as its reply; the next one is held.',
    'docs/contract/messages.md#held-calls',
  ],
  'polling-clients.position': [
    'Only a read of all messages after an inbound row moves the reading position.',
    NO_ACKNOWLEDGEMENTS,
  ],
  'polling-clients.replies-are-not-held': [
    'A reply of such a client to another one gets its 202 at once, whether it has a role or not; a first message between them is held.',
    'docs/contract/messages.md#held-calls; docs/decisions/0045-agents-that-never-acknowledge.md',
  ],
});
