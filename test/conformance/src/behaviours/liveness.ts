import { behaviours } from './behaviour.ts';

/** Who is alive, and for how long one is believed to be. */
export const LIVENESS = behaviours({
  'registry.heartbeat.degrades-and-recovers': [
    'An error rate of 0.5 or more degrades a workspace, and only a rate under 0.1 makes it online again.',
    'docs/contract/presence.md#heartbeat',
  ],
  'registry.heartbeat.lag-is-shown': [
    'Lists and details of workspaces show the lag of the event loop of the last heartbeat, whether the agent is wedged and its last error; peers do not get the error.',
    'docs/contract/presence.md#heartbeat',
  ],
  'registry.heartbeat.wedged-degrades': [
    'runtime_state "wedged" degrades a workspace until it is cleared.',
    'docs/contract/presence.md#heartbeat',
  ],
  'registry.heartbeat.three-missed-is-offline': [
    'Without a heartbeat a workspace is online for 90 s and offline at most one sweep later.',
    'docs/contract/presence.md#liveness; docs/decisions/0005-liveness.md',
  ],
  'registry.heartbeat.brings-back-online': [
    'The next heartbeat of an offline workspace brings it online, without another register.',
    'docs/contract/presence.md#liveness; docs/contract/compatibility.md#register-tutorial',
  ],
  'registry.heartbeat.omitted-metrics-stay': [
    'A metric that a heartbeat leaves out keeps its value.',
    'docs/contract/presence.md#heartbeat; docs/decisions/0005-liveness.md',
  ],
  'registry.heartbeat.only-proof-of-life': [
    'Reading the feed or the state does not keep a workspace online; register and heartbeat do.',
    'docs/contract/presence.md#liveness; docs/decisions/0005-liveness.md',
  ],
  'registry.heartbeat.tells-the-state': [
    'A heartbeat answers status ok, the workspace status, paused, deleted, pending and the server time.',
    'docs/contract/presence.md#heartbeat',
  ],
  'registry.heartbeat.status-key-is-ignored': [
    'A status in a heartbeat is accepted and changes nothing.',
    'docs/contract/presence.md#heartbeat; docs/contract/compatibility.md#external-agents-page',
  ],
  'registry.heartbeat.bad-metrics-are-refused': [
    'A heartbeat with a metric of a wrong type or range is a 400 and changes nothing.',
    'docs/contract/presence.md#heartbeat',
  ],
  'registry.liveness.window-is-configurable': [
    'REMOTE_LIVENESS_STALE_AFTER sets how long a workspace is believed to be alive.',
    'docs/contract/presence.md#liveness; docs/decisions/0005-liveness.md',
  ],
  'registry.liveness.restart-keeps-nobody-alive': [
    'After a restart of the platform a silent workspace still goes offline.',
    'docs/contract/presence.md#liveness; docs/decisions/0005-liveness.md',
  ],
  'registry.liveness.clock-jump': [
    'When the wall clock jumps forward or back, a workspace that keeps beating stays online or returns at once.',
    'docs/decisions/0005-liveness.md',
  ],
});
