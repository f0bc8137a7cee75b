// Writes docs/contract/life-of-a-message.md: what `next` of packages/core/src/inbound/life.ts does with each event, by calling it.
// With --check it writes nothing and fails when the page is not up to date. Needs a Node that runs TypeScript, as every pnpm script has it.
import { readFileSync, writeFileSync } from 'node:fs';
import { ApiError } from '../packages/core/src/errors/api-error.ts';
import { ConnectionError } from '../packages/core/src/errors/connection-error.ts';
import { MessageFailure } from '../packages/core/src/errors/message-failure.ts';
import { MoleculeError } from '../packages/core/src/errors/molecule-error.ts';
import { MAX_ATTEMPTS, NO_PROGRESS, next } from '../packages/core/src/inbound/life.ts';

const PAGE = new URL('../docs/contract/life-of-a-message.md', import.meta.url);
const NOW = Date.parse('2026-01-01T00:00:00Z');
const DAY_MS = 24 * 3_600_000;

const message = { expectsAnswer: true, source: 'peer_agent', peerId: 'p', metadata: {} };
const overdue = { ...message, metadata: { deadline: new Date(NOW).toISOString() } };
const answer = { text: 'yes' };
const failed = new Error('no');
const api = (status, code, more = {}) =>
  new ApiError('no', { status, code, method: 'POST', path: '/', isRetryable: false, ...more });
const unavailable = new ConnectionError('no', { origin: '', delivered: 'unknown' });
const full = api(429, 'inbox_full');
const handling = { attempts: 1 };
const answering = { attempts: 1, answer };

/** A state with its title, and the events that may follow: [event, when, progress, how it is treated, more of the record]. */
const STATES = [
  [
    'It waits for its turn',
    [
      [{ kind: 'turn' }, '', {}],
      [
        { kind: 'turn' },
        `after ${MAX_ATTEMPTS} attempts, of which each ended with the process`,
        { attempts: MAX_ATTEMPTS },
      ],
      [{ kind: 'turn' }, 'its deadline has passed', {}, {}, { message: overdue }],
      [{ kind: 'turn' }, 'its answer was stored', answering],
      [{ kind: 'canceled' }, '', {}],
      [{ kind: 'stopped', isHandling: false }, '', {}],
    ],
  ],
  [
    'Its handler runs',
    [
      [{ kind: 'returned', answer }, '', handling],
      [{ kind: 'returned', answer }, 'after `context.reply`', { ...handling, repliesSent: 1 }],
      [
        { kind: 'returned', answer },
        'the message is an answer itself',
        handling,
        {},
        { message: { ...message, expectsAnswer: false } },
      ],
      [{ kind: 'returned', answer: null }, '', handling],
      [
        { kind: 'returned', answer: null },
        'of a direct message whose request no longer waits',
        handling,
        {},
        { via: 'direct' },
      ],
      [{ kind: 'invalid', error: failed }, '', handling],
      [{ kind: 'failed', error: failed, isThrown: true }, '', handling],
      [{ kind: 'failed', error: failed, isThrown: true }, 'the fifth time', { attempts: MAX_ATTEMPTS }],
      [
        { kind: 'failed', error: failed, isThrown: true, isShown: true },
        'a reader got some of the answer',
        handling,
      ],
      [{ kind: 'failed', error: failed, isThrown: true }, 'at most once', handling, { isAtMostOnce: true }],
      [
        {
          kind: 'failed',
          error: new MessageFailure('The disk is full.', { code: 'disk_full' }),
          isThrown: true,
        },
        'with `MessageFailure`',
        handling,
      ],
      [
        { kind: 'failed', error: new MoleculeError('no', { code: 'loop_detected' }), isThrown: true },
        'a call was refused as a loop',
        handling,
      ],
      [{ kind: 'canceled' }, '', handling],
      [{ kind: 'expired', isReported: false }, 'at the deadline', handling],
      [{ kind: 'expired', isReported: true }, 'a reply was refused as too late', handling],
      [{ kind: 'stopped', isHandling: true }, '', handling],
      [
        { kind: 'stopped', isHandling: true, reason: failed },
        'at most once',
        handling,
        { isAtMostOnce: true },
      ],
    ],
  ],
  [
    'Its answer is sent',
    [
      [{ kind: 'sent', isIgnored: false }, '', answering],
      [{ kind: 'sent', isIgnored: true }, 'its sender had canceled it', answering],
      [
        { kind: 'unsent', error: unavailable, failures: 9, counted: 0 },
        'the platform cannot be reached',
        answering,
      ],
      [
        { kind: 'unsent', error: api(400, 'request_rejected'), failures: 1, counted: 1 },
        'it was refused',
        answering,
      ],
      [
        { kind: 'unsent', error: api(400, 'request_rejected'), failures: 5, counted: 5 },
        'it was refused the fifth time',
        answering,
      ],
      [
        { kind: 'unsent', error: api(413, 'payload_too_large'), failures: 1, counted: 0 },
        'it is too large',
        answering,
      ],
      [{ kind: 'unsent', error: full, failures: 1, counted: 0 }, 'its recipient has no room', answering],
      [
        { kind: 'unsent', error: full, failures: 99, counted: 0 },
        'its recipient has had no room for a day',
        { ...answering, refusedSince: new Date(NOW - DAY_MS).toISOString() },
      ],
      [{ kind: 'no-room', error: full, failures: 1 }, 'too many other answers wait', answering],
      [
        {
          kind: 'unsent',
          error: api(409, 'conflict', { platformCode: 'message_expired' }),
          failures: 1,
          counted: 0,
        },
        'the message has expired',
        answering,
      ],
      [{ kind: 'canceled' }, '', answering],
      [{ kind: 'stopped', isHandling: false }, '', answering],
    ],
  ],
];

const HAPPENS = {
  turn: 'its turn comes',
  returned: 'it returns an answer',
  invalid: 'it returns something else',
  failed: 'it throws, or its time is over',
  canceled: 'the message is canceled',
  expired: 'the message expires',
  stopped: 'the agent stops',
  sent: 'the platform or the request has it',
  unsent: 'it cannot be sent',
  'no-room': 'it may not wait for room',
};

const page = `# The life of a message at its agent

<!-- Generated by scripts/generate-life.mjs; do not edit. -->

What an agent of \`@molecule-ai/core\` does with a message that it has accepted: what happens, what changes in its record, and what the agent does next. The record is stored before anything
of it leaves the agent. An end is told to the platform unless it knows it. [What the platform does](messages.md) with the same message is another page.

${STATES.map(([title, cases]) => `## ${title}\n\n| What happens | When | What changes | What follows |\n|---|---|---|---|\n${cases.map(rowOf).join('\n')}\n`).join('\n')}`;

const current = (() => {
  try {
    return readFileSync(PAGE, 'utf8');
  } catch {
    return '';
  }
})();
if (current !== page) {
  if (!process.argv.includes('--check')) writeFileSync(PAGE, page);
  else {
    console.error('docs/contract/life-of-a-message.md is not up to date; run: npx -y pnpm@12 docs:life');
    process.exitCode = 1;
  }
}

function rowOf([event, when, progress, treatment = {}, record = {}]) {
  const { change, effect } = next(
    { message, via: 'feed', digest: '', ...record, progress: { ...NO_PROGRESS, ...progress } },
    { reason: undefined, isThrown: false, isShown: false, ...event },
    { now: NOW, isAtMostOnce: false, isReplay: false, isWaited: false, ...treatment },
  );
  const changes = Object.entries(change ?? {}).map(([key, value]) => {
    return typeof value === 'object' && value !== null ? `\`${key}\`` : `\`${key}\`: ${value}`;
  });
  const what = event.answer === null ? 'it returns nothing' : HAPPENS[event.kind];
  return `| ${what} | ${when} | ${changes.join(', ')} | ${textOf(effect)} |`;
}

function textOf(effect) {
  if (effect.kind === 'handle') return 'calls the handler';
  if (effect.kind === 'send') {
    return effect.answer.end === undefined
      ? 'sends the answer'
      : `sends a message that says \`${effect.answer.end.state}\``;
  }
  if (effect.kind === 'retry') return `tries again after ${effect.delayMs / 1_000} s`;
  if (effect.kind === 'stop') return 'nothing: the message is handled again';
  const { end, isReported, givenUp } = effect;
  const code = end.error === null ? '' : `, \`${end.error.code}\``;
  const kept = givenUp === undefined ? '' : '; keeps a dead letter';
  return `ends as \`${end.state}\`${code}${isReported ? ', which the platform knows' : ''}${kept}`;
}
