// Writes docs/contract/life-of-a-message.md: what `next` of packages/core/src/inbound/life.ts does with each event, by calling it.
// Needs a Node that runs TypeScript, as every pnpm script has it.
import { ApiError } from '../packages/core/src/errors/api-error.ts';
import { ConnectionError } from '../packages/core/src/errors/connection-error.ts';
import { MessageFailure } from '../packages/core/src/errors/message-failure.ts';
import { MoleculeError } from '../packages/core/src/errors/molecule-error.ts';
import { NO_PROGRESS, next } from '../packages/core/src/inbound/life.ts';
import { writeGenerated } from './write-generated.mjs';

// The tables of messages.md, which are its other half.
await import('./generate-message-table.mjs');

/** The defaults. */
const RETRY = { attempts: 5, delayMs: 1_000, maxDelayMs: 64_000 };

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
      [{ kind: 'turn' }, 'its answer was stored', answering],
      [
        { kind: 'turn' },
        `${RETRY.attempts} attempts were counted, the last of which ended with the process`,
        { attempts: RETRY.attempts },
      ],
      [{ kind: 'turn' }, 'its deadline has passed', {}, {}, { message: overdue }],
      [{ kind: 'turn' }, '', {}],
      [{ kind: 'canceled' }, '', {}],
      [{ kind: 'stopped', isHandling: false }, '', {}],
    ],
  ],
  [
    'Its handler runs',
    [
      [{ kind: 'returned', answer }, 'after `context.reply`', { ...handling, repliesSent: 1 }],
      [
        { kind: 'returned', answer },
        'the message is an answer itself',
        handling,
        {},
        { message: { ...message, expectsAnswer: false } },
      ],
      [{ kind: 'returned', answer }, '', handling],
      [
        { kind: 'returned', answer: null },
        'a peer sent it without the platform, and its request no longer waits',
        handling,
        {},
        { via: 'direct' },
      ],
      [{ kind: 'returned', answer: null }, '', handling],
      [{ kind: 'invalid', error: new MoleculeError('no', { code: 'invalid_answer' }) }, '', handling],
      [
        {
          kind: 'failed',
          error: new MessageFailure('The disk is full.', { code: 'code_of_the_failure' }),
          isThrown: true,
        },
        'it threw `MessageFailure`',
        handling,
      ],
      [
        { kind: 'failed', error: new MoleculeError('no', { code: 'loop_detected' }), isThrown: true },
        'it threw the error of a call that would continue a loop',
        handling,
      ],
      [
        { kind: 'failed', error: failed, isThrown: true, isShown: true },
        'whoever reads the answer as a stream got some of it',
        handling,
      ],
      [
        { kind: 'failed', error: failed, isThrown: true },
        'the agent has `atMostOnce`',
        handling,
        { isAtMostOnce: true },
      ],
      [
        { kind: 'failed', error: failed, isThrown: true },
        'it was the fifth attempt',
        { attempts: RETRY.attempts },
      ],
      [{ kind: 'failed', error: failed, isThrown: true }, '', handling],
      [{ kind: 'canceled' }, '', handling],
      [{ kind: 'expired', isReported: true }, 'the platform refused a `context.reply` as too late', handling],
      [{ kind: 'expired', isReported: false }, 'the deadline passes', handling],
      [
        { kind: 'stopped', isHandling: true, reason: failed },
        'the agent has `atMostOnce`',
        handling,
        { isAtMostOnce: true },
      ],
      [{ kind: 'stopped', isHandling: true }, '', handling],
    ],
  ],
  [
    'Its answer is sent',
    [
      [{ kind: 'sent', isIgnored: true }, 'its sender had canceled it', answering],
      [{ kind: 'sent', isIgnored: false }, '', answering],
      [
        {
          kind: 'unsent',
          error: api(409, 'conflict', { platformCode: 'message_expired' }),
          failures: 1,
          counted: 0,
        },
        'the platform has let the message expire',
        answering,
      ],
      [
        { kind: 'unsent', error: full, failures: 99, counted: 0 },
        'the inbox of its sender has been full for a day',
        { ...answering, refusedSince: new Date(NOW - DAY_MS).toISOString() },
      ],
      [
        { kind: 'unsent', error: full, failures: 1, counted: 0 },
        'the inbox of its sender is full',
        answering,
      ],
      [
        { kind: 'unsent', error: api(413, 'payload_too_large'), failures: 1, counted: 0 },
        'it is too large',
        answering,
      ],
      [
        { kind: 'unsent', error: unavailable, failures: 1, counted: 0 },
        'the platform cannot be reached',
        answering,
      ],
      [
        { kind: 'unsent', error: api(400, 'request_rejected'), failures: 5, counted: 5 },
        'it was refused for the fifth time since the process started',
        answering,
      ],
      [
        { kind: 'unsent', error: api(400, 'request_rejected'), failures: 1, counted: 1 },
        'it was refused',
        answering,
      ],
      [
        { kind: 'no-room', error: full, failures: 1 },
        'a hundred other answers wait for full inboxes',
        answering,
      ],
      [{ kind: 'canceled' }, '', answering],
      [{ kind: 'stopped', isHandling: false }, '', answering],
    ],
  ],
];

const HAPPENS = {
  turn: 'its turn comes',
  returned: 'the handler returns an answer',
  invalid: 'the handler returns something else',
  failed: 'the handler throws, or its time is over',
  canceled: 'its sender cancels it',
  expired: 'it expires',
  stopped: 'the agent stops, or is paused',
  sent: 'the answer was taken',
  unsent: 'the answer could not be sent',
  'no-room': 'the answer may not wait',
};

const page = `# The life of a message at its agent

<!-- Generated by scripts/generate-life.mjs; do not edit. -->

What an agent of \`@molecule-ai/core\` does with a message that it has accepted: what \`next\` of \`packages/core/src/inbound/life.ts\` returns for each event. Of the rows of one event the first
that fits applies. Changes of the record are stored before anything of them leaves the agent, as long as its store works. Meanwhile \`context.reply\`, \`context.once\` and a stream add to the record: what they did is not done again.
An end is reported to the platform, unless "known" says that the platform has it already. A dead letter is kept by the agent, for a replay. [What the platform does](messages.md) with the same message is another page.

With \`atMostOnce\` a message is finished before its handler runs: a crash loses it.

${STATES.map(([title, cases]) => `## ${title}\n\n| Event | If | Change of the record | What follows |\n|---|---|---|---|\n${cases.map(rowOf).join('\n')}\n`).join('\n')}`;

writeGenerated('docs/contract/life-of-a-message.md', page, 'docs:life');

function rowOf([event, when, progress, treatment = {}, record = {}]) {
  const run = (more = {}, before = {}) =>
    next(
      { message, via: 'feed', digest: '', ...record, progress: { ...NO_PROGRESS, ...progress, ...before } },
      { reason: undefined, isThrown: false, isShown: false, ...event, ...more },
      { now: NOW, isAtMostOnce: false, isReplay: false, isWaited: false, retry: RETRY, ...treatment },
    );
  const { change = {}, effect } = run();
  const { attempts: before = 0 } = progress;
  const changes = Object.entries(change).map(([key, value]) => {
    if (key === 'attempts') return value > before ? 'one attempt more' : 'one attempt less';
    return key === 'refusedSince' ? 'since when' : `the ${key}`;
  });
  // How the pause grows.
  const pauses = [1, 2, 3, 4].map((count) => {
    const { effect: later } =
      event.kind === 'failed' ? run({}, { attempts: count }) : run({ failures: count });
    return later.delayMs / 1_000;
  });
  const what = event.answer === null ? 'the handler returns nothing' : HAPPENS[event.kind];
  const follows = textOf(effect, [...new Set(pauses)], progress.answer !== undefined);
  return `| \`${event.kind}\`: ${what} | ${when} | ${changes.join(', ')} | ${follows} |`;
}

function textOf(effect, pauses, isAnswered) {
  if (effect.kind === 'handle') return 'calls the handler';
  if (effect.kind === 'send') {
    return effect.answer.end === undefined
      ? 'sends the answer'
      : `sends a message that says \`${effect.answer.end.state}\``;
  }
  if (effect.kind === 'retry') {
    const again = effect.stage === 'handler' ? 'calls the handler again' : 'sends the answer again';
    const [last] = pauses.slice(-1);
    const first = pauses.slice(0, -1);
    if (effect.waits) return `${again} after ${last} s, later every 15 minutes, for a day`;
    if (effect.stage === 'handler') return `${again} after ${first.join(', ')}, at last ${last} s`;
    return `${again} after ${first.join(', ')} s, later every ${last} s`;
  }
  if (effect.kind === 'stop') {
    return `nothing: when the agent runs again, ${isAnswered ? 'the answer is sent' : 'the handler is called'}`;
  }
  const { end, isReported, givenUp } = effect;
  const code = end.error === null ? '' : ` with the code \`${end.error.code}\``;
  const kept = givenUp === undefined ? '' : '; a dead letter';
  return `ends as \`${end.state}\`${code}${isReported ? ', known' : ''}${kept}`;
}
