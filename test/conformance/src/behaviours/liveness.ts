import { behaviours } from './behaviour.ts';

/** Who is alive, and for how long one is believed to be. */
export const LIVENESS = behaviours({
  'registry.heartbeat.degrades-and-recovers': [
    'An error rate of 0.5 or more degrades a workspace, and only a rate under 0.1 makes it online again.',
    'wire contract 2.2, 8 row 32, 10.3 vector 6',
  ],
  'registry.heartbeat.wedged-degrades': [
    'runtime_state "wedged" degrades a workspace until it is cleared.',
    'wire contract 2.2 and 3.11',
  ],
  'registry.heartbeat.three-missed-is-offline': [
    'Without a heartbeat a workspace is online for 90 s and offline at most one sweep later.',
    'decision 5; seeds 000 and 001; wire contract 10.3 vector 7',
  ],
  'registry.heartbeat.brings-back-online': [
    'The next heartbeat of an offline workspace brings it online, without another register.',
    'decision 5; seed 001 step 4; wire contract 10.3 vector 7',
  ],
  'registry.heartbeat.omitted-metrics-stay': [
    'A metric that a heartbeat leaves out keeps its value.',
    'decision 5; wire contract 10.3 vector 8',
  ],
  'registry.heartbeat.only-proof-of-life': [
    'Reading the feed or the state does not keep a workspace online; register and heartbeat do.',
    'decision 5; seed 002',
  ],
  'registry.heartbeat.tells-the-state': [
    'A heartbeat answers status ok, the workspace status, paused, deleted, pending and the server time.',
    'wire contract 10.2',
  ],
  'registry.heartbeat.status-key-is-ignored': [
    'A status in a heartbeat is accepted and changes nothing.',
    'seed 002 step 3; wire contract 8 row 34',
  ],
  'registry.heartbeat.bad-metrics-are-refused': [
    'A heartbeat with a metric of a wrong type or range is a 400 and changes nothing.',
    'wire contract 3.11',
  ],
  'registry.liveness.window-is-configurable': [
    'REMOTE_LIVENESS_STALE_AFTER sets how long a workspace is believed to be alive.',
    'decision 5; wire contract 1.8',
  ],
  'registry.liveness.restart-keeps-nobody-alive': [
    'After a restart of the platform a silent workspace still goes offline.',
    'decision 5; wire contract 9 weakness 15',
  ],
  'registry.liveness.clock-jump': [
    'When the wall clock jumps forward or back, a workspace that keeps beating stays online or returns at once.',
    'decision 5',
  ],
});
