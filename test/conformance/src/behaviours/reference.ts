import { behaviours } from './behaviour.ts';

const CAPABILITIES = 'docs/decisions/0041-capabilities.md#what-the-client-does-without-a-word';

/** The client on the platforms that were built before ours: they name no capabilities. */
export const REFERENCE = behaviours({
  'reference.backlog-before-a-first-start': [
    'An agent that starts for the first time on a platform without acknowledgements handles every message that waits for it, once and oldest first.',
    CAPABILITIES,
  ],
  'reference.backlog-of-one-moment': [
    'Messages that arrived at the same time are all handled, also where a page ends between them.',
    CAPABILITIES,
  ],
  'reference.backlog-end': [
    'A first start ends its way back also where the platform ignores `before_ts`: the agent handles what it got, oldest first and once, warns, and reads forwards.',
    CAPABILITIES,
  ],
  'reference.unreadable-keys': [
    'A key of a response that may be missing and cannot be read counts as missing: the token of a registration is kept, a heartbeat is accepted, and the key is logged by its name. A token that cannot be read is an error.',
    'docs/contract/compatibility.md#unknown-values',
  ],
  'reference.backlog-window': [
    'With `sinceSecs` a first start handles only the messages of that time, and each later one.',
    CAPABILITIES,
  ],
  'reference.lost-cursor': [
    'After a lost cursor on a platform without acknowledgements no message is missed, and none that was finished is handled again.',
    CAPABILITIES,
  ],
  'reference.pushed-messages': [
    'An agent that polls on a workspace with push does not handle messages whose rows carry a response.',
    CAPABILITIES,
  ],
  'reference.no-repeats': [
    'A message that may have reached its target is not sent again through a platform that does not keep message ids; one that was refused is.',
    CAPABILITIES,
  ],
  'reference.timeout-hint': [
    'The hint of a time limit says that a second call may run the peer again, where the platform does not keep message ids.',
    CAPABILITIES,
  ],
  'reference.answer-on-the-feed': [
    'Where the platform has no state of messages, `waitForAnswer` returns the answer that arrives on the feed, or `queued` at its time limit.',
    CAPABILITIES,
  ],
  'reference.answer-of-the-asked': [
    'On the feed only the workspace that was asked answers: the one that this client sent the message, or `peerId`. Where neither is known, the reply names who answered.',
    CAPABILITIES,
  ],
  'reference.no-message-state': [
    'Where the platform has no state of messages, reading one is `not_supported`.',
    CAPABILITIES,
  ],
  'reference.rotation': [
    'Where a minted token does not count for registering, a rotation ends with one that does, and the old one is refused.',
    'docs/decisions/0004-tokens.md#decision',
  ],
  'reference.rotation-incomplete': [
    'A rotation after which the old token is still accepted fails with `rotation_incomplete`, and the client uses the new one.',
    'docs/decisions/0004-tokens.md#decision',
  ],
  'reference.rotation-restored': [
    'After a new token that does not work for any reason, or that no request can carry, the client and its store have the old one, and the new one is revoked. The token in use is never revoked.',
    'docs/decisions/0004-tokens.md#decision',
  ],
  'reference.named-states': [
    'The state and code in the metadata of a task are believed only of a platform with the word `outcomes`: elsewhere an agent wrote them.',
    CAPABILITIES,
  ],
  'reference.operator-trees': [
    'An operator pauses and resumes a workspace with its descendants, where the platform asks for `cascade`.',
    CAPABILITIES,
  ],
  'reference.operator-deletes': [
    'A confirmed delete names the workspace, where the platform asks for its name; an unconfirmed one does not.',
    CAPABILITIES,
  ],
  'reference.operator-reads': [
    'An operator reads the state of a workspace and whether the platform is ready, where the platform has no such routes for operators.',
    CAPABILITIES,
  ],
  'reference.nothing-unknown-is-sent': [
    'An agent sends no `tasks/cancel`, goodbye, instance, outcome or question, and reads no cancellations, message states or compact rows; calls that need them are `not_supported`, and an aborted call only stops waiting.',
    CAPABILITIES,
  ],
  'reference.inbound-secret': [
    'The secret of the platform for its pushes is kept with the token, mode 0600, never logged; a newer one from a heartbeat replaces it.',
    CAPABILITIES,
  ],
  'reference.rate-limited': [
    'An agent whose registration, heartbeats and reads are all limited reports `rate-limited`, never an unreachable platform, waits and goes on.',
    'docs/decisions/0036-fair-limits.md#decision',
  ],
  'reference.quick-reads': [
    'Where requests are not held, the feed is read every second for 30 s after a message, and then at the interval again.',
    'docs/decisions/0013-long-poll.md',
  ],
  'reference.own-deadline': [
    'A call ends at its own time limit where the platform ignores `X-Timeout`: it may have been delivered, and is not sent again.',
    CAPABILITIES,
  ],
  'reference.removed': [
    'An agent notices its removal although heartbeats are still accepted: the state is refused, and the workspace is gone.',
    'docs/decisions/0017-pause-and-removal.md',
  ],
  'reference.paused': [
    'An agent reads from the state that it is paused, where heartbeats do not say so, and stays paused while the state cannot be read.',
    'docs/decisions/0017-pause-and-removal.md',
  ],
  'reference.rows': ['Compact rows are asked for only where they are offered.', CAPABILITIES],
  'reference.polling-refused': [
    'A platform that registers no agent without a URL: the error says to set `reportedUrl`, and with one the agent may still read its feed.',
    CAPABILITIES,
  ],
  'reference.container-names': ['The name of a container is not the URL of a peer.', CAPABILITIES],
  'reference.reply-shown-once': [
    'A person is shown the answer to a message once, also when the message is delivered again or the agent starts again, where the platform ignores idempotency keys.',
    CAPABILITIES,
  ],
});
