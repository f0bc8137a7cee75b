import { behaviours } from './behaviour.ts';

/** What an error says about its cause and the next step. */
export const ERRORS = behaviours({
  'errors.fields-are-named': [
    'A 400 for a body or a query that a schema refuses names each field with its rule in plain words, and quotes no value.',
    'docs/contract/error-codes.md#shape; docs/decisions/0122-errors-name-the-next-step.md',
  ],
  'errors.one-cause-each': [
    'Pausing and resuming have different errors for a workspace that is unknown, that was removed, and that is in this state already.',
    'docs/contract/presence.md#pause-and-resume; docs/decisions/0122-errors-name-the-next-step.md',
  ],
  'errors.foreign-token': [
    'With the id of one workspace and the token of another, each call of the client fails with a 403 that names the id and where the token came from.',
    'docs/contract/authentication.md#caller-headers; docs/decisions/0122-errors-name-the-next-step.md',
  ],
  'errors.failed-start': [
    'A start that fails rejects, or with wait: false emits start-failed and rejects closed, also for a URL that nothing serves; the event stopped is not emitted.',
    'docs/contract/presence.md#how-an-agent-ends; docs/decisions/0122-errors-name-the-next-step.md',
  ],
  'errors.refused-token': [
    'The platform answers every register that it refuses alike; the client adds whether it sent a token, and where that came from.',
    'docs/contract/authentication.md#who-may-register; docs/decisions/0122-errors-name-the-next-step.md',
  ],
});
