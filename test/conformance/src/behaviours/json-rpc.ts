import { behaviours } from './behaviour.ts';

export const JSON_RPC = behaviours({
  'rpc.a2a-versions': [
    'A caller gets answers, tasks, events and errors in the A2A version that it speaks, 0.3 or 1.0.',
    'docs/contract/messages.md#a2a-10; docs/contract/messages.md#answers',
  ],
  'rpc.form': [
    'Callers that show that they speak JSON-RPC get responses in its form, and others plain bodies.',
    'docs/contract/messages.md#json-rpc-callers; docs/decisions/0026-part-shape.md',
  ],
  'rpc.methods': [
    'An unknown method, or one that is not offered, is refused before anything is stored or pushed.',
    'docs/contract/messages.md#methods; docs/decisions/0044-json-rpc-callers.md',
  ],
  'rpc.queued-is-a-task': [
    'A JSON-RPC caller gets a task for a message without an answer yet, at once if it asks.',
    'docs/contract/messages.md#json-rpc-callers; docs/contract/messages.md#held-calls',
  ],
  'rpc.tasks-get': [
    '`tasks/get` returns the actual state, answer and history of a message by its task or message id.',
    'docs/contract/messages.md#tasks',
  ],
  'rpc.tasks-get.agent-task': [
    'A sender reads and continues an agent’s own task by the id it was given or the agent’s id.',
    'docs/contract/messages.md#tasks',
  ],
  'interop.sdks': [
    'A client and an agent of each published A2A SDK understand each other through the platform.',
    'docs/contract/messages.md#a2a-10; docs/contract/messages.md#push-delivery',
  ],
  'reference.nothing-unknown-is-sent': [
    'A client uses only what its platform offers, and fails other calls as `not_supported`.',
    'docs/decisions/0041-capabilities.md#what-the-client-does-without-a-word; docs/decisions/0050-cancel.md',
  ],
  'reference.unreadable-keys': [
    'An optional key of a response that cannot be read counts as missing.',
    'docs/contract/compatibility.md#unknown-values',
  ],
  'reference.backlog-before-a-first-start': [
    'On a platform without acknowledgements, a first start handles every readable message once, oldest first.',
    'docs/decisions/0041-capabilities.md#what-the-client-does-without-a-word',
  ],
  'reference.backlog-window': [
    'With `sinceSecs` a first start handles only messages of that time, and each later one.',
    'docs/decisions/0041-capabilities.md#what-the-client-does-without-a-word',
  ],
  'reference.pushed-messages': [
    'An agent that polls a workspace with push does not handle messages that have a response.',
    'docs/decisions/0041-capabilities.md#what-the-client-does-without-a-word',
  ],
  'reference.quick-reads': [
    'Without long polls, an agent reads its feed every second for 30 s after a message.',
    'docs/decisions/0013-long-poll.md',
  ],
  'reference.paused-or-removed': [
    'An agent learns from its state that it was paused or removed when heartbeats do not say so.',
    'docs/decisions/0017-pause-and-removal.md',
  ],
  'reference.polling-refused': [
    'Where an agent cannot register without a URL, the error says to set `reportedUrl`.',
    'docs/decisions/0041-capabilities.md#what-the-client-does-without-a-word',
  ],
  'reference.container-names': [
    '`discoverPeer` does not take the name of a container for the URL of a peer.',
    'docs/decisions/0041-capabilities.md#what-the-client-does-without-a-word',
  ],
});
