import { behaviours } from './behaviour.ts';

/** How agents learn that they were paused, resumed or removed. */
export const STATE_CALLS = behaviours({
  'state-calls.push': [
    'An agent with a server gets one call with its new status when it is paused, resumed or removed, with a token of the platform.',
    'docs/contract/presence.md#state-calls; docs/decisions/0017-pause-and-removal.md',
  ],
  'state-calls.descendants': [
    'A pause of a workspace is a call to each agent with a server below it, and to no agent that polls.',
    'docs/contract/presence.md#state-calls',
  ],
  'state-calls.best-effort': [
    'An agent that does not respond, or fails, neither delays the operator nor is called again.',
    'docs/contract/presence.md#state-calls',
  ],
  'state-calls.held-reads': [
    'A held read of the feed or of control rows ends at once when the workspace is paused, resumed or removed.',
    'docs/contract/presence.md#state-calls; docs/contract/feed.md#long-poll',
  ],
});
