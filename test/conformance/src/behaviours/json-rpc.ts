import { behaviours } from './behaviour.ts';

/** Callers that speak JSON-RPC, in A2A 0.3 and 1.0. */
export const JSON_RPC = behaviours({
  'rpc.errors': [
    'Callers that show that they speak JSON-RPC get errors of the platform in its form, under the same status; others get plain bodies.',
    'docs/contract/messages.md#json-rpc-callers; docs/decisions/0044-json-rpc-callers.md',
  ],
  'rpc.queued-is-a-task': [
    'A message without an answer yet is a submitted task for callers that speak JSON-RPC.',
    'docs/contract/messages.md#json-rpc-callers; docs/decisions/0044-json-rpc-callers.md',
  ],
  'rpc.agent-error-passes': [
    'A JSON-RPC error that an agent sends with HTTP 500 reaches callers that speak JSON-RPC; others get agent_error.',
    'docs/contract/messages.md#json-rpc-callers',
  ],
  'rpc.tasks-get': [
    'tasks/get returns the state of a message, by row id or message id, and its answer; it is not stored as a message.',
    'docs/contract/messages.md#tasks',
  ],
  'rpc.tasks-get.questions': [
    'The task of a message that is interrupted by a question is input-required and has its text, also in the words of A2A 1.0; later it has the answer.',
    'docs/contract/messages.md#tasks',
  ],
  'rpc.tasks-get.agent-task': [
    'A message answered by a task of the agent gives that task, by row id, message id or the id of the agent, to its sender only.',
    'docs/contract/messages.md#tasks',
  ],
  'rpc.tasks-get.replies': [
    'A reply is the answer of its message, and no task of the agent, also with the fields of one.',
    'docs/contract/messages.md#tasks',
  ],
  'rpc.bare-answers': [
    'A bare body that an agent with a server returns is a message in a JSON-RPC response for callers of JSON-RPC.',
    'docs/contract/messages.md#json-rpc-callers',
  ],
  'rpc.tasks-get.id': [
    'The task of an agent has the id that its sender was given, and the own id of the agent in the metadata; a message with either id continues it.',
    'docs/contract/messages.md#tasks',
  ],
  'rpc.tasks.state-of-agent': [
    'A message that was answered with a task that has not completed is never shown as completed, by tasks/get or tasks/cancel, in either version of A2A.',
    'docs/contract/messages.md#tasks',
  ],
  'rpc.tasks-get.operators': [
    'Operators get and cancel a message by row id and by message id, at its target and at its sender; one id of several senders is a 409.',
    'docs/contract/messages.md#tasks',
  ],
  'rpc.one-version': [
    'A value of A2A-Version that is not stored with the message, because it is too long, says nothing about the response either.',
    'docs/contract/messages.md#json-rpc-callers',
  ],
  'rpc.requests-in-detail': [
    'The method is checked before params; an id that JSON numbers cannot carry is refused.',
    'docs/contract/messages.md#json-rpc-callers',
  ],
  'rpc.tasks-get.history': [
    'tasks/get with a historyLength has the own message of the sender in history; one that is not a whole number is refused.',
    'docs/contract/messages.md#tasks',
  ],
  'rpc.cancel-ended': [
    'A client of A2A gets −32002 for a message that had ended before it was canceled, and its task when it had canceled it itself.',
    'docs/contract/messages.md#cancellation',
  ],
  'rpc.at-once': [
    'A message with blocking: false, or returnImmediately, gets its task at once.',
    'docs/contract/messages.md#held-calls',
  ],
  'rpc.at-once.push': [
    'A push leaves out the wish of the caller not to wait, and nothing else, so that the end of the task of the agent reaches the caller by tasks/get.',
    'docs/contract/messages.md#held-calls; docs/contract/messages.md#push-delivery',
  ],
  'rpc.requests': [
    'Errors before a request is read, batches, missing ids and ids of another type are errors in the form of JSON-RPC for those who speak it.',
    'docs/contract/messages.md#json-rpc-callers',
  ],
  'rpc.methods': [
    'An unknown method and one that is not offered are refused before anything is stored or pushed.',
    'docs/contract/messages.md#methods; docs/decisions/0044-json-rpc-callers.md',
  ],
  'rpc.a2a-1.0.form': [
    'A caller of A2A 1.0 gets the answer of a 0.3 agent, tasks and errors in the form of 1.0.',
    'docs/contract/messages.md#a2a-10; docs/decisions/0044-json-rpc-callers.md',
  ],
  'rpc.a2a-1.0.agent-passes': [
    'The answer of an agent of A2A 1.0 reaches a caller of 1.0 as it came, wrapped and without result.text.',
    'docs/contract/messages.md#a2a-10',
  ],
  'rpc.send-message-is-held': [
    'A SendMessage to a polling agent is held for its answer.',
    'docs/contract/messages.md#held-calls; docs/contract/messages.md#a2a-10',
  ],
});
