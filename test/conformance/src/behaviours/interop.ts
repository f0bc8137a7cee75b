import { behaviours } from './behaviour.ts';

/** Published A2A SDKs, by what they sent and received in a run of `pnpm interop`. */
export const INTEROP = behaviours({
  'interop.requests': [
    'A request of each published A2A SDK is pushed to the agent as its SDK took it, with the sender in its metadata and the headers of A2A.',
    'docs/contract/messages.md#push-delivery; docs/contract/messages.md#repairs',
  ],
  'interop.answers': [
    'The messages and tasks of an agent of each published A2A SDK reach a client of the same SDK in the form that it reads.',
    'docs/contract/messages.md#a2a-10; docs/contract/messages.md#answers',
  ],
});
