import { behaviours } from './behaviour.ts';

const PAGE = 'docs/contract/tools.md';

/** The tools of core by which a model works with peers, without a framework. */
export const TOOLS = behaviours({
  'tools.definitions': [
    'peerTools gives definitions with a name, a description, a JSON Schema that strict modes take, parse and run; `only` selects them.',
    `${PAGE}#definitions; docs/decisions/0110-tools-for-models.md`,
  ],
  'tools.list-peers': [
    'list_peers gives ids and states of the peers, and what they say of themselves in a fence; what has no room is counted.',
    `${PAGE}#tools`,
  ],
  'tools.call-peer': [
    'call_peer gives the answer of a peer in a fence, and the same as plain data; delegate_task is the same tool by another name.',
    `${PAGE}#tools`,
  ],
  'tools.one-message-per-call': [
    'A call with the same call id, arguments and handled message or run reaches the peer once, also in another process.',
    `${PAGE}#repeats`,
  ],
  'tools.conversation': [
    'call_peer continues one conversation for each conversation of its own and peer, and begins another one with new_conversation.',
    `${PAGE}#conversations`,
  ],
  'tools.own-workspace': [
    'get_workspace_info tells who the agent is; send_message_to_user shows a message, once for each call.',
    `${PAGE}#tools`,
  ],
  'tools.tasks': [
    'delegate_task_async gives a task id at once; check_task_status tells what became of it or lists the latest; cancel_task cancels.',
    `${PAGE}#tools`,
  ],
  'tools.ends': [
    'Each end of a message, and each state before it, is an outcome that says what to do next.',
    `${PAGE}#ends-of-a-call`,
  ],
  'tools.questions': [
    'A model answers the text questions that a peer asks it, and is told that approvals are decided by people.',
    `${PAGE}#questions`,
  ],
  'tools.failures': [
    'A call that is refused, or fails, is an outcome with its code, in own words, and run does not throw.',
    `${PAGE}#ends-of-a-call`,
  ],
  'tools.in-a-handler': [
    'In a handler, a call that is repeated in the next attempt reaches the peer once; circles end as loop_detected.',
    `${PAGE}#repeats`,
  ],
  'tools.patience': [
    'A tool waits for an answer as long as timeoutMs says, also for longer than the platform holds one call.',
    `${PAGE}#definitions`,
  ],
  'tools.parallel': [
    'Twenty calls to one peer at the same time all get their answers.',
    `${PAGE}#conversations`,
  ],
  'tools.fenced': [
    'Whatever a peer writes, in its card, an answer, a question or a failure, a model reads it in a fence, in the same bytes each time.',
    `${PAGE}#outcomes`,
  ],
  'tools.marked-text': [
    'fenceMarkedText fences a text with boundary markers or tags of a fence, and leaves others, and fences that are as its own, as they are.',
    `${PAGE}#text-of-other-tools`,
  ],
  'tools.progress': [
    'onProgress gets the answer while it is made, at once and then at most every 250 ms; a peer that is away is not waited for.',
    `${PAGE}#progress`,
  ],
  'tools.abort': [
    'An abort rejects with the reason of the signal, and cancels the message to the peer.',
    `${PAGE}#ends-of-a-call`,
  ],
});
