import { behaviours } from './behaviour.ts';

/** How the agent's side stays present, and how its loops end. */
export const PRESENCE = behaviours({
  'presence.cadence': [
    'An agent beats every 27 to 30 s, never later; only its second beat may come sooner.',
    'docs/contract/presence.md#heartbeat; docs/decisions/0005-liveness.md',
  ],
  'presence.stays-online': [
    'An agent whose loop runs is online the whole time.',
    'docs/contract/compatibility.md#remote-workspaces-guide; docs/decisions/0005-liveness.md',
  ],
  'presence.ends-paused': [
    'The heartbeat loop ends with "paused" when its workspace is paused.',
    'docs/contract/presence.md#how-an-agent-ends; docs/decisions/0017-pause-and-removal.md',
  ],
  'presence.ends-removed': [
    'The heartbeat loop ends with "removed" when its workspace is removed.',
    'docs/contract/presence.md#how-an-agent-ends; docs/decisions/0017-pause-and-removal.md',
  ],
  'presence.removed-at-once': [
    'An agent that long-polls ends as soon as its workspace is removed, without waiting for its next heartbeat.',
    'docs/contract/presence.md#how-an-agent-ends; docs/decisions/0017-pause-and-removal.md',
  ],
  'presence.ends-revoked': [
    'Three refused heartbeats that no removal explains end the loop with "revoked" and one error with what to do.',
    'docs/contract/presence.md#how-an-agent-ends; docs/decisions/0017-pause-and-removal.md',
  ],
  'presence.ends-stopped': [
    'Aborting its signal ends the heartbeat loop with "stopped".',
    'docs/decisions/0017-pause-and-removal.md',
  ],
  'presence.survives-an-outage': [
    'Ten minutes without a platform do not end the loop: it is online again soon after the platform is back.',
    'docs/contract/limits.md#retries-of-the-client; docs/decisions/0018-retries.md',
  ],
  'presence.routing-trouble-is-no-end': [
    'A gateway that answers 404 or HTML for a while does not end the loop.',
    'docs/contract/presence.md#how-an-agent-ends; docs/decisions/0017-pause-and-removal.md',
  ],
  'presence.return-spread': [
    '200 agents that lose the platform at one moment return within 31 s of its return, in no second more than 12 % of them.',
    'docs/contract/presence.md#after-an-outage; docs/decisions/0108-never-half-dead.md',
  ],
  'presence.start-spread': [
    '200 agents that are started together without a platform register within 31 s once it is there, in no second more than 12 %.',
    'docs/contract/presence.md#after-an-outage; docs/decisions/0108-never-half-dead.md',
  ],
  'agent.thousand-in-one-process': [
    'A thousand agents in one process are all online, each answers a message, and all stop.',
    'docs/contract/receiving.md#many-agents-in-one-process; docs/decisions/0108-never-half-dead.md',
  ],
  'agent.held-reads-in-turn': [
    'Agents beyond the number of held reads get their messages too, and none is degraded.',
    'docs/contract/receiving.md#many-agents-in-one-process; docs/decisions/0108-never-half-dead.md',
  ],
  'presence.calls-delay-nothing': [
    'An agent with more calls to slow peers than maxConnections sends heartbeats, receives and answers a message, and cancels one of the calls.',
    'docs/contract/receiving.md#many-agents-in-one-process',
  ],
  'agent.half-dead.feed': [
    'A feed that responds with HTML, with errors or not at all makes health().ok false within three minutes while heartbeats succeed, also when the clock jumps by an hour.',
    'docs/contract/receiving.md#an-agent-that-is-half-dead; docs/decisions/0108-never-half-dead.md',
  ],
  'agent.half-dead.probe': [
    'An agent that reads a feed without messages for an hour sends itself two, and is degraded when none comes; nobody else can send them.',
    'docs/contract/receiving.md#an-agent-that-is-half-dead; docs/decisions/0108-never-half-dead.md',
  ],
  'agent.half-dead.probe-comes-back': [
    'On a feed that works, the message of an agent to itself ends unanswered, and neither handler nor listeners get it.',
    'docs/contract/receiving.md#an-agent-that-is-half-dead; docs/decisions/0108-never-half-dead.md',
  ],
  'agent.half-dead.push': [
    'An agent with delivery push that the platform no longer reaches is degraded after probeAfterMs without a push, and well again when a probe or a push arrives.',
    'docs/contract/receiving.md#an-agent-that-is-half-dead; docs/decisions/0108-never-half-dead.md',
  ],
  'presence.one-broken-response': [
    'After one response of the feed that is an internal error or unreadable an agent reads again within a second; when a second one follows, as after any failure.',
    'docs/contract/presence.md#after-an-outage; docs/decisions/0108-never-half-dead.md',
  ],
  'agent.ends-with-its-client': [
    'An agent whose client is closed before it ends as stopped, with one error and no further request; the next one handles what was not finished.',
    'docs/contract/presence.md#how-an-agent-ends',
  ],
  'agent.exit-when-dead': [
    'With exitWhenDead the process of an agent that cannot reach its platform ends with exit code 70 and one error line.',
    'docs/contract/receiving.md#an-agent-that-is-half-dead; docs/decisions/0108-never-half-dead.md',
  ],
  'agent.exit-when-limited': [
    'With exitWhenDead the process of an agent whose heartbeats are all refused with 429 ends with exit code 70, too.',
    'docs/contract/receiving.md#an-agent-that-is-half-dead; docs/decisions/0108-never-half-dead.md',
  ],
  'presence.blocked-stays-online': [
    'An agent whose handler blocks the event loop for longer than the liveness window stays online.',
    'docs/contract/presence.md#heartbeats-of-a-blocked-agent; docs/decisions/0106-heartbeats-from-a-worker.md',
  ],
  'presence.wedged': [
    'An agent that is blocked for maxBlockMs is reported as wedged, and is online again when it runs.',
    'docs/contract/presence.md#heartbeats-of-a-blocked-agent; docs/decisions/0106-heartbeats-from-a-worker.md',
  ],
  'presence.suspended-returns': [
    'An agent whose process was suspended is online again after it, and handles once what was sent meanwhile.',
    'docs/contract/presence.md#heartbeats-of-a-blocked-agent; docs/decisions/0106-heartbeats-from-a-worker.md',
  ],
  'presence.reports-the-lag': [
    'Heartbeats report the lag of the event loop.',
    'docs/contract/presence.md#heartbeat; docs/decisions/0106-heartbeats-from-a-worker.md',
  ],
  'presence.worker.shared-by-copies': [
    'The ES module and the CommonJS copy of core in one process have one worker for their agents, which repeats the heartbeats of those that run and ends with the last one.',
    'docs/contract/presence.md#heartbeats-of-a-blocked-agent; docs/decisions/0106-heartbeats-from-a-worker.md',
  ],
  'presence.worker.certificates': [
    'The worker trusts the certificates that Node is started with; authorities that a program adds at run time make heartbeats come from the main thread, with one warning.',
    'docs/contract/presence.md#heartbeats-of-a-blocked-agent; docs/decisions/0106-heartbeats-from-a-worker.md',
  ],
  'presence.worker.untrusted': [
    'With a certificate that is not trusted the agent does not start, and the error says how to add the authority.',
    'docs/contract/presence.md#heartbeats-of-a-blocked-agent; docs/decisions/0106-heartbeats-from-a-worker.md',
  ],
  'presence.worker.paused-process': [
    'The process of a paused agent stays while a heartbeat is sent, and takes messages again after the resume.',
    'docs/contract/presence.md#pause-and-resume; docs/decisions/0106-heartbeats-from-a-worker.md',
  ],
  'presence.worker.in-jest': [
    'Under Jest as it is installed heartbeats come from the worker, also while a test blocks the event loop, and nothing keeps Jest alive.',
    'docs/contract/presence.md#heartbeats-of-a-blocked-agent; docs/decisions/0106-heartbeats-from-a-worker.md',
  ],
  'presence.reports-the-task': [
    'What the task supplier says is on the canvas with the next heartbeat.',
    'docs/contract/compatibility.md#remote-workspaces-guide',
  ],
  'agent.recovers-from-chaos': [
    'When a network that fails in every way works again, an agent is online and well again by itself; after an outage of an hour within 90 s.',
    'docs/decisions/0108-never-half-dead.md',
  ],
});
