import { behaviours } from './behaviour.ts';

/** How the agent's side stays present, and how its loops end. */
export const PRESENCE = behaviours({
  'presence.cadence': ['An agent beats every 27 to 30 s, never later.', 'decision 5; seeds 001 and 002'],
  'presence.stays-online': [
    'An agent whose loop runs is online the whole time.',
    'decision 5; seed 000, quick start',
  ],
  'presence.ends-paused': [
    'The heartbeat loop ends with "paused" when its workspace is paused.',
    'decision 17; seed 003',
  ],
  'presence.ends-removed': [
    'The heartbeat loop ends with "removed" when its workspace is removed.',
    'decision 17; seed 003',
  ],
  'presence.ends-revoked': [
    'Three refused heartbeats that no removal explains end the loop with "revoked" and one error with what to do.',
    'decision 17; seed 002, removed status',
  ],
  'presence.ends-stopped': ['Aborting its signal ends the heartbeat loop with "stopped".', 'decision 17'],
  'presence.survives-an-outage': [
    'Ten minutes without a platform do not end the loop: it is online again soon after the platform is back.',
    'decision 18; wire contract 10.1 point 5',
  ],
  'presence.routing-trouble-is-no-end': [
    'A gateway that answers 404 or HTML for a while does not end the loop.',
    'decision 17; wire contract 8 row 13',
  ],
  'presence.reports-the-task': [
    'What the task supplier says is on the canvas with the next heartbeat.',
    'seed 000, quick start',
  ],
});
