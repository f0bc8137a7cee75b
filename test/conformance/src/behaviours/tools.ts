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
  'tools.progress': [
    'onProgress gets the answer while it is made, at once and then at most every 250 ms; a peer that is away is not waited for.',
    `${PAGE}#progress`,
  ],
  'tools.abort': [
    'An abort rejects with the reason of the signal, and cancels the message to the peer.',
    `${PAGE}#ends-of-a-call`,
  ],
});
