import { behaviours } from './behaviour.ts';

export const ANSWERS = behaviours({
  'answers.find-their-callers': [
    'Each caller, agent or person, gets the answer to its own message.',
    'docs/decisions/0011-answers.md; docs/contract/messages.md#push-delivery',
  ],
  'answers.held-call': [
    'A call is held for its answer for 25 s, or as X-Timeout says, and then is a 202.',
    'docs/contract/messages.md#held-calls; docs/decisions/0011-answers.md',
  ],
  'answers.arrive-once': [
    'A caller gets the answer to its message once, in its call, its stream or on its feed.',
    'docs/decisions/0011-answers.md; docs/contract/streams.md#asking-for-a-stream',
  ],
  'answers.joined-text': [
    'Unless it asks otherwise, a caller gets the joined text of any answer in result.text.',
    'docs/contract/messages.md#size-of-an-answer; docs/decisions/0035-size-of-answers.md',
  ],
  'answers.user-gets-all-of-it': [
    'A person gets the same answer whether the agent polls, is pushed to or streams.',
    'docs/contract/messages.md#messages-to-the-user; docs/contract/streams.md#events',
  ],
  'answers.only-the-asked-may-answer': [
    'Only the workspace that was asked can answer a message.',
    'docs/decisions/0011-answers.md',
  ],
  'answers.nobody-gets-it': [
    'The response to a reply that nobody will get says why and what to do.',
    'docs/contract/messages.md#answers; docs/contract/messages.md#messages-to-the-user',
  ],
  'answers.unknown-question': [
    'A reply to a message that the platform does not know is delivered like any message.',
    'docs/contract/messages.md#late-answers; docs/decisions/0101-direct-peer-calls.md',
  ],
  'answers.largest-arrives-whole': [
    'The answer to a push arrives whole up to 10 MiB.',
    'docs/contract/limits.md#bodies; docs/decisions/0035-size-of-answers.md',
  ],
  'answers.too-large-fails': [
    'An answer over 10 MiB, 50 000 JSON values or 64 levels of nesting ends its message as failed.',
    'docs/contract/messages.md#size-of-an-answer; docs/contract/messages.md#direct-calls',
  ],
  'answers.polled-limit': [
    'A polling agent’s answer over 1 MiB fails its message as `agent_answer_too_large`.',
    'docs/contract/streams.md#breaks; docs/contract/messages.md#size-of-an-answer',
  ],
  'answers.large-ones-hold-up-nobody': [
    'Large answers delay neither small answers nor those of other workspaces.',
    'docs/contract/messages.md#size-of-an-answer; docs/contract/streams.md#limits',
  ],
  'answers.bounded-memory': [
    'The platform needs bounded memory for large answers, however slowly they are made or read.',
    'docs/contract/messages.md#size-of-an-answer; docs/contract/streams.md#limits',
    'test:processes',
  ],
  'answers.read-in-time': [
    'A reader that takes an answer too slowly is disconnected, without harm to its message.',
    'docs/contract/limits.md#time-limits; docs/contract/streams.md#ends-of-a-stream',
  ],
});
