import { behaviours } from './behaviour.ts';

/** What an agent can rely on when it receives messages, whichever way they come. */
export const DELIVERY = behaviours({
  'delivery.answers-find-their-callers': [
    'What a handler returns answers the held call of the peer and of the person on the canvas who asked.',
    'seed 003, run_agent_loop; decision 11',
  ],
  'delivery.order': [
    'Messages of one sender or one conversation are handled one after the other, in the order in which they were accepted, each once.',
    'decisions 12 and 14',
  ],
  'delivery.each-answer-to-its-own': ['When many messages wait, each gets its own answer.', 'decision 11'],
  'delivery.acknowledges-what-is-finished': [
    'Finished messages are acknowledged: nothing is pending afterwards.',
    'decision 12',
  ],
  'delivery.holds-the-position-for-the-slow': [
    'A message that is not finished is never acknowledged, although later ones are; a restart delivers it alone.',
    'decision 12',
  ],
  'delivery.visible-exactly-once-after-a-crash': [
    'An agent killed after its answer and before its acknowledgement answers visibly once.',
    'decision 12',
  ],
  'delivery.killed-handler-runs-again': [
    'A message whose handler was killed is handled again by the next process, then those sent while the agent was down, and each is answered once.',
    'decision 12; wire contract 9 weakness 37',
  ],
  'delivery.pause-stops-work': [
    'A paused agent starts no message; after the resume it handles those that were sent meanwhile.',
    'decision 17',
  ],
  'delivery.no-echo-storm': [
    'Two agents that echo everything exchange one question and one answer, and then fall silent.',
    'decision 11; wire contract 9 weakness 31',
  ],
  'delivery.retries-then-dead-letters': [
    'A handler that keeps failing is tried five times; then the message is a dead letter and holds up nothing.',
    'decision 18; wire contract 9 weakness 37',
  ],
  'delivery.platform-down-at-start': [
    'An agent that starts before its platform reports it, waits, and comes online as soon as the platform does.',
    'decision 18; wire contract 10.1 point 5',
  ],
  'delivery.platform-down-for-ten-minutes': [
    'Ten minutes without a platform lose nothing and repeat nothing; the agent reports the outage once, and its end once.',
    'decisions 12, 17 and 18',
  ],
  'delivery.platform-down-at-stop': [
    'Stopping an agent whose platform is away ends in time.',
    'decision 12; wire contract 9 weakness 35',
  ],
  'delivery.cursor-rotated-out': [
    'An agent whose cursor the platform has pruned or never knew reports it once, handles what is not acknowledged, and repeats nothing.',
    'decision 12; wire contract 7, 410 handling; wire contract 10.3 vector 12',
  ],
  'delivery.unwritable-state': [
    'An agent that cannot write its state folder reports that it is degraded, and works.',
    'decision 28; decision 12',
  ],
  'delivery.two-agents-one-workspace': [
    'Two agents of one workspace answer each message visibly once.',
    'decision 12; wire contract 9 weakness 41',
  ],
  'agent.one-process-per-folder': [
    'A second process with the same workspace folder is refused with an error that names the first.',
    'decision 12',
  ],
  'delivery.clock-jump': ['A clock that jumps neither loses, repeats nor reorders messages.', 'decision 12'],
  'delivery.ends-with-its-workspace': [
    'An agent whose workspace is removed ends by itself as removed, and its handlers’ signals abort.',
    'decision 17',
  ],
  'delivery.ends-with-its-token': ['An agent whose token was revoked ends as revoked.', 'decision 17'],
  'delivery.loop-exits-on-pause': [
    'runAgentLoop registers by itself, answers, and ends with "paused" when its workspace is paused.',
    'decision 17; seed 003, run_agent_loop',
  ],
  'delivery.at-most-once': [
    'An agent that opted into at most once never handles a message again, whatever became of it.',
    'decision 12',
  ],
  'delivery.stop-finishes-work': [
    'A stop lets the handler that runs finish and acknowledges its message.',
    'decision 12; wire contract 9 weakness 37',
  ],
  'delivery.files-are-private': [
    'Everything an agent keeps on disk (cursor, journal, dead letters) is 0600 in 0700 folders.',
    'decision 28',
  ],
});
