import { behaviours } from './behaviour.ts';

export const REQUESTS = behaviours({
  'requests.errors-have-closed-codes': [
    'Every error response is JSON with a text and a documented code.',
    'docs/decisions/0025-errors.md; docs/contract/limits.md#bodies',
  ],
  'requests.invalid-are-400': [
    'A request with an invalid body, field or parameter is a 400 that changes nothing.',
    'docs/contract/limits.md#bodies; docs/contract/limits.md#fields',
  ],
  'requests.too-complex': [
    'A request of more than 50 000 JSON values or 64 levels of nesting is a 400.',
    'docs/contract/limits.md#bodies',
  ],
  'requests.body-limit': [
    'A request body over 1 MiB is refused with a 413, never cut.',
    'docs/contract/limits.md#bodies',
  ],
  'requests.unknown-workspace': [
    'An unknown workspace is a 404 for operators, and refused to agents like an unreachable one.',
    'docs/contract/presence.md#read-and-change; docs/contract/messages.md#sending',
  ],
  'requests.extras-are-ignored': [
    'The content type, the Origin and unknown keys of a JSON request are ignored.',
    'docs/contract/limits.md#bodies; docs/contract/authentication.md#origin',
  ],
  'errors.fields-are-named': [
    'A 400 for a body or a query names each wrong field and quotes no value.',
    'docs/contract/error-codes.md#shape; docs/decisions/0122-errors-name-the-next-step.md',
  ],
  'errors.refused-token': [
    'The error about a refused token says where the client got the token, and never shows it.',
    'docs/contract/authentication.md#who-may-register; docs/decisions/0122-errors-name-the-next-step.md',
  ],
  'limits.rate-belongs-to-the-workspace': [
    'A workspace may make 600 requests a minute unless RATE_LIMIT says otherwise.',
    'docs/contract/limits.md#rates; docs/decisions/0036-fair-limits.md',
  ],
  'limits.own-rates': [
    'Heartbeats, acknowledgements and progress reports do not count towards the request limit of a workspace.',
    'docs/contract/limits.md#rates; docs/decisions/0036-fair-limits.md',
  ],
  'limits.health-is-never-limited': [
    'The routes /health and /ready are never rate limited.',
    'docs/contract/limits.md#rates',
  ],
  'limits.inbox-full': [
    'An inbox with 10 000 waiting messages or 256 MiB refuses further ones with a 429.',
    'docs/contract/limits.md#inbox',
  ],
  'limits.inbox-shares': [
    'One sender may fill a quarter of an inbox, and all agents together nine tenths.',
    'docs/contract/limits.md#inbox; docs/decisions/0036-fair-limits.md',
  ],
  'limits.inbox-of-one-that-only-reads': [
    'After 24 hours without an acknowledgement, an inbox counts only unread messages.',
    'docs/contract/limits.md#inbox; docs/decisions/0045-agents-that-never-acknowledge.md',
  ],
  'limits.late-answer-of-a-full-inbox': [
    'A late answer that a full inbox cannot take is announced there and kept whole in the message record.',
    'docs/contract/limits.md#inbox; docs/decisions/0036-fair-limits.md',
  ],
  'limits.card-and-report-size': [
    'An agent card over 64 KiB or a report over 256 KiB is a 413.',
    'docs/contract/limits.md#bodies',
  ],
  'limits.own-rows': [
    'A workspace above 1 GiB of notifications and reports gets a 429 for more.',
    'docs/contract/limits.md#own-rows; docs/decisions/0036-fair-limits.md',
  ],
  'limits.budget': [
    'A message to a workspace that has spent its budget is a 402.',
    'docs/contract/limits.md#budget; docs/contract/messages.md#sending',
  ],
  'limits.little-space-is-not-ready': [
    'While too little disk space is free, /ready is a 503.',
    'docs/contract/limits.md#disk-space',
  ],
});
