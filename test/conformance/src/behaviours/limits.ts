import { behaviours } from './behaviour.ts';

/** What one caller may use of what all share. */
export const LIMITS = behaviours({
  'limits.rate-belongs-to-the-workspace': [
    'The 601st request of a workspace within a minute is a 429 with Retry-After and scope, whichever of its tokens it has; another workspace is not affected.',
    'docs/contract/limits.md#rates; docs/decisions/0036-fair-limits.md',
  ],
  'limits.presence-has-its-own-rate': [
    'A workspace that has spent its requests still sends heartbeats and acknowledgements, and acknowledgements leave room for heartbeats.',
    'docs/contract/limits.md#rates; docs/decisions/0036-fair-limits.md',
  ],
  'limits.rate-can-be-off': [
    'With RATE_LIMIT=off no request of anybody is limited by its rate.',
    'docs/contract/limits.md#rates',
  ],
  'limits.health-is-never-limited': [
    'An address that has spent its requests still reads /health and /ready.',
    'docs/contract/limits.md#rates',
  ],
  'limits.agent-waits-out-a-limited-heartbeat': [
    'An agent whose heartbeats are limited waits and goes on: degraded as rate-limited, never unreachable, and online throughout.',
    'docs/contract/presence.md#heartbeat; docs/decisions/0036-fair-limits.md',
  ],
  'limits.inbox-shares': [
    'One sender fills at most a quarter of an inbox and agents nine tenths; the last tenth is for people and operators.',
    'docs/contract/limits.md#inbox; docs/decisions/0036-fair-limits.md',
  ],
  'limits.inbox-bytes': [
    'What waits for one workspace is limited in bytes as well; above, a message is a 429 inbox_full until some are acknowledged.',
    'docs/contract/limits.md#inbox',
  ],
  'limits.inbox-of-one-that-only-reads': [
    'For an agent that has not acknowledged for 24 hours only messages that it has not read count against the limit of its inbox and as pending, also after a restart; reads of operators move nothing.',
    'docs/contract/limits.md#inbox; docs/decisions/0045-agents-that-never-acknowledge.md',
  ],
  'limits.inbox-of-one-that-acknowledges-again': [
    'From its next acknowledgement on, all messages that an agent has not acknowledged count again.',
    'docs/contract/limits.md#inbox; docs/decisions/0045-agents-that-never-acknowledge.md',
  ],
  'limits.late-answer-of-a-full-inbox': [
    'A late answer that does not fit into a full inbox is a small row on the caller’s feed, and the message has the whole of it.',
    'docs/contract/limits.md#inbox; docs/decisions/0036-fair-limits.md',
  ],
  'limits.card-size': [
    'A card over 64 KiB is a 413 that names the field, at register, update and heartbeat, and the card that was stored stays.',
    'docs/contract/limits.md#bodies',
  ],
  'limits.report-size': [
    'A reported row over 256 KiB is a 413 that names the field.',
    'docs/contract/limits.md#bodies',
  ],
  'limits.own-rows': [
    'A workspace that has stored its quota by notifications and reports gets 429 quota_exceeded for more; its answers to people, its messages and its heartbeats go on.',
    'docs/contract/limits.md#own-rows; docs/decisions/0036-fair-limits.md',
  ],
  'limits.own-rows-are-released': [
    'When own rows are deleted after the retention, the workspace may write again.',
    'docs/contract/limits.md#own-rows',
  ],
  'limits.finished-messages': [
    'Of the finished messages of a workspace the oldest are deleted when they are larger than the limit; those that wait and own rows stay.',
    'docs/contract/limits.md#finished-messages; docs/decisions/0036-fair-limits.md',
  ],
  'limits.little-space-is-not-ready': [
    'While too little space is free in the data folder, /ready is a 503 that says so, and the platform works as long as it can.',
    'docs/contract/limits.md#disk-space',
  ],
});
