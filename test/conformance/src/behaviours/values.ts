import { behaviours } from './behaviour.ts';

/** Types and values that pass between packages, processes and models. */
export const VALUES = behaviours({
  'values.types-cross-module-formats': [
    'A CommonJS application compiled with the templates of NestJS 10, 11 and 12 passes its client, agent, context, message and reply to a package that is an ES module only.',
    'docs/decisions/0039-types-cross-module-formats.md',
  ],
  'values.declarations-compile': [
    'The declarations of every published entry compile without skipLibCheck, in ES modules and in CommonJS.',
    'docs/decisions/0039-types-cross-module-formats.md',
  ],
  'values.copies-share-a-process': [
    'The ES module and the CommonJS copy of core in one process serve one client, know each other’s errors and locks, and restore each other’s replies.',
    'docs/decisions/0039-types-cross-module-formats.md',
  ],
  'values.reply-as-data': [
    'A reply is stored as JSON and restored with every field, and a model reads the same bytes before and after.',
    'docs/contract/trust-boundary.md#text-for-a-model; docs/decisions/0039-types-cross-module-formats.md',
  ],
  'values.peers-and-senders-for-a-model': [
    'Names, roles, descriptions and skills of peers and senders reach a model inside a fence, ids outside of it.',
    'docs/contract/trust-boundary.md#text-for-a-model',
  ],
  'values.send-without-waiting': [
    'sendToPeer resolves when the platform has stored the message, also for a peer that is online; the answer arrives as a message of the feed or by waitForAnswer.',
    'docs/contract/messages.md#held-calls; docs/decisions/0011-answers.md',
  ],
  'values.derived-message-id': [
    'Messages sent with the id of one key are one message, also from another process of the workspace.',
    'docs/contract/messages.md#sending; docs/decisions/0010-message-dedupe.md',
  ],
  'values.start-in-background': [
    'start({ wait: false }) resolves before the agent is registered; an error that ends the start is emitted, and closed rejects with it.',
    'docs/decisions/0040-runtime-name.md',
  ],
});
