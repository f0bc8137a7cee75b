import { behaviours } from './behaviour.ts';

/** What an agent can rely on when it receives messages, whichever way they come. */
export const DELIVERY = behaviours({
  'delivery.answers-find-their-callers': [
    'What a handler returns answers the held call of the peer and of the person on the canvas who asked.',
    'docs/contract/compatibility.md#python-sdk-readme; docs/decisions/0011-answers.md',
  ],
  'delivery.order': [
    'Messages of one conversation are handled one after the other, in the order in which they were accepted, each once; one that fails waits for its next attempt beside them.',
    'docs/decisions/0012-delivery-guarantee.md; docs/decisions/0014-activity-rows.md',
  ],
  'delivery.conversations-are-independent': [
    'A conversation whose message hangs or keeps failing does not hold up another one of the same sender.',
    'docs/decisions/0030-conversations.md; docs/contract/messages.md#conversations',
  ],
  'delivery.each-answer-to-its-own': [
    'When many messages wait, each gets its own answer.',
    'docs/decisions/0011-answers.md',
  ],
  'delivery.acknowledges-what-is-finished': [
    'Finished messages are acknowledged: nothing is pending afterwards.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.holds-the-position-for-the-slow': [
    'A message that is not finished is never acknowledged, although later ones are; a restart delivers it alone.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.visible-exactly-once-after-a-crash': [
    'An agent killed after its answer and before its acknowledgement answers visibly once.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.killed-handler-runs-again': [
    'A message whose handler was killed is handled again by the next process, then those sent while the agent was down, and each is answered once.',
    'docs/contract/messages.md#delivery-guarantee; docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.pause-stops-work': [
    'A paused agent starts no message; after the resume it handles those that were sent meanwhile.',
    'docs/decisions/0017-pause-and-removal.md',
  ],
  'delivery.no-echo-storm': [
    'Two agents that echo everything exchange one question and one answer, and then fall silent.',
    'docs/decisions/0011-answers.md',
  ],
  'delivery.retries-then-dead-letters': [
    'A handler that keeps failing is tried five times; then the message is a dead letter. Meanwhile it holds up nothing.',
    'docs/contract/messages.md#delivery-guarantee; docs/decisions/0018-retries.md',
  ],
  'delivery.platform-down-at-start': [
    'An agent that starts before its platform reports it, waits, and comes online as soon as the platform does.',
    'docs/contract/limits.md#retries-of-the-client; docs/decisions/0018-retries.md',
  ],
  'delivery.platform-down-for-ten-minutes': [
    'Ten minutes without a platform lose nothing and repeat nothing; the agent reports the outage once, and its end once.',
    'docs/decisions/0012-delivery-guarantee.md; docs/decisions/0018-retries.md',
  ],
  'delivery.platform-down-at-stop': [
    'Stopping an agent whose platform is away ends in time.',
    'docs/contract/limits.md#time-limits; docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.cursor-rotated-out': [
    'An agent whose cursor the platform has pruned or never knew reports it once, handles what is not acknowledged, and repeats nothing.',
    'docs/contract/feed.md#cursor; docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.unwritable-state': [
    'An agent that cannot write its state folder reports that it is degraded, and works.',
    'docs/decisions/0028-private-files.md; docs/decisions/0012-delivery-guarantee.md',
  ],
  'agent.one-process-per-folder': [
    'A second process with the same workspace folder is refused with an error that names the first.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.clock-jump': [
    'A clock that jumps neither loses, repeats nor reorders messages.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.ends-with-its-workspace': [
    'An agent whose workspace is removed ends by itself as removed, and its handlers’ signals abort.',
    'docs/decisions/0017-pause-and-removal.md',
  ],
  'delivery.ends-with-its-token': [
    'An agent whose token was revoked ends as revoked.',
    'docs/decisions/0017-pause-and-removal.md',
  ],
  'delivery.loop-exits-on-pause': [
    'runAgentLoop registers by itself, answers, and ends with "paused" when its workspace is paused.',
    'docs/contract/presence.md#how-an-agent-ends; docs/decisions/0017-pause-and-removal.md',
  ],
  'delivery.at-most-once': [
    'An agent that opted into at most once never handles a message again, whatever became of it.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.stop-finishes-work': [
    'A stop lets the handler that runs finish and acknowledges its message.',
    'docs/contract/messages.md#delivery-guarantee; docs/decisions/0012-delivery-guarantee.md',
  ],
  'delivery.files-are-private': [
    'Everything an agent keeps on disk (cursor, journal, dead letters) is 0600 in 0700 folders.',
    'docs/decisions/0028-private-files.md',
  ],
  'delivery.survives-chaos': [
    'Whatever happens to the requests of an agent, no message is lost: each ends as its handler said, its effects in `once` happen once, and no answer goes twice to whom it is for.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
});
