import { behaviours } from './behaviour.ts';

/** One running agent at a time reads the messages of a workspace. */
export const INSTANCES = behaviours({
  'delivery.two-agents-one-workspace': [
    'Of two agents of one workspace one handles each message; the other waits, says so, and receives when the first stops.',
    'docs/decisions/0049-one-reader.md#decision',
  ],
  'instances.two-processes': [
    'Two processes with one token handle each of 60 messages once.',
    'docs/decisions/0049-one-reader.md#decision',
  ],
  'instances.restart-continues': [
    'An agent that starts again in its folder receives at once, killed or stopped.',
    'docs/contract/presence.md#one-reader',
  ],
  'instances.rolling-restart': [
    'When an old agent stops after a new one with the same token has started, the new one receives within seconds; no message is lost or handled twice.',
    'docs/decisions/0049-one-reader.md#decision',
  ],
  'instances.copied-token': [
    'A token that is used on another machine reads nothing while its agent runs: 409 `identity_in_use`.',
    'docs/contract/presence.md#one-reader',
  ],
  'instances.takeover': [
    'A take-over ends the other agent as superseded, also while its read is held; the new one receives.',
    'docs/contract/presence.md#one-reader',
  ],
  'instances.fail': [
    'With onConflict "fail" an agent does not start while another one reads.',
    'docs/contract/presence.md#one-reader',
  ],
  'instances.killed-agent': [
    'When an agent is killed, another one with its token receives 45 s later, and nothing is lost.',
    'docs/contract/presence.md#one-reader',
  ],
  'instances.platform-restart': [
    'After a restart of the platform the same agent goes on reading, and another one is still refused.',
    'docs/contract/presence.md#one-reader',
  ],
  'instances.readers-without-a-name': [
    'Reads without the header, of operators, and of history are never refused and claim nothing.',
    'docs/contract/presence.md#one-reader',
  ],
  'instances.finished-by-another': [
    'An agent does not handle again what another instance finished while it was away, although its own position is older.',
    'docs/contract/feed.md#reading-a-page',
  ],
  'instances.goodbye': ['An agent that stops is offline at once.', 'docs/contract/presence.md#goodbye'],
  'instances.goodbye-of-one-of-two': [
    'A workspace stays online when one of its agents stops and another one is active.',
    'docs/contract/presence.md#goodbye',
  ],
  'agent.killed-process-holds-no-folder': [
    'A killed process that its parent has not reaped does not hold the folder of its workspace.',
    'docs/decisions/0049-one-reader.md#decision',
  ],
});
