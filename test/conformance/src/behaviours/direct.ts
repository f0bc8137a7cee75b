import { behaviours } from './behaviour.ts';

const PAGE = 'docs/contract/messages.md#direct-calls';
const STATES = 'docs/contract/messages.md#direct-calls; docs/contract/messages.md#message-states';
const CHANGES = 'docs/contract/messages.md#direct-calls; docs/decisions/0101-direct-peer-calls.md';
const PATHS = 'docs/contract/messages.md#direct-calls; docs/decisions/0101-direct-peer-calls.md';

/** Messages that go to the server of a peer. */
export const DIRECT = behaviours({
  'direct.answered': [
    'Where the platform gives the URL of a peer and a token for it, `callPeer` sends to the peer and returns its answer with `via: "direct"`.',
    PATHS,
  ],
  'direct.other-credential': [
    'A peer receives the token that the platform gave for it, and never the bearer of the platform.',
    'docs/decisions/0009-peer-tokens.md; docs/decisions/0101-direct-peer-calls.md',
  ],
  'direct.no-token-no-call': [
    'Without a token for the peer its URL is not called, unless `directCalls` is `always`.',
    PATHS,
  ],
  'direct.proxy-only': [
    '`via: "proxy"`, `directCalls: "off"`, answers to questions and `sendToPeer` go through the platform.',
    PAGE,
  ],
  'direct.falls-back': [
    'A message that the peer did not accept goes through the platform with the same id and the same content.',
    'docs/decisions/0010-message-dedupe.md; docs/decisions/0101-direct-peer-calls.md',
  ],
  'direct.in-doubt': [
    'A message that was sent and got no valid response goes through the platform with the same id if there was a peer token; else the call fails with `delivered: "unknown"` and nothing is sent again.',
    'docs/decisions/0010-message-dedupe.md; docs/decisions/0101-direct-peer-calls.md',
  ],
  'direct.slow-peer': [
    'A peer that sends nothing, stops in the middle of its response, or sends it byte by byte delays a call, and leaves time for the platform.',
    PAGE,
  ],
  'direct.half-open': [
    'A peer that takes nothing and sends nothing, on a new connection or one that was used before, leaves time for the platform.',
    PAGE,
  ],
  'direct.names-that-change': [
    'The name of a peer is resolved when a connection is made: one that then has a refused address, or none, gets no connection, and the message goes through the platform.',
    'docs/contract/messages.md#direct-calls; docs/contract/presence.md#agent-addresses',
  ],
  'direct.answer-limits': [
    'An answer over 10 MiB, or with more values or levels than are allowed, is not read and ends the message as failed.',
    'docs/contract/messages.md#direct-calls; docs/contract/limits.md#bodies',
  ],
  'direct.no-redirect': [
    'A redirect of a peer is not followed: the token reaches no other server, and the message goes through the platform.',
    PAGE,
  ],
  'direct.addresses': [
    'A peer at an address that the address guard refuses gets no connection, and the message goes through the platform.',
    'docs/contract/messages.md#direct-calls; docs/contract/presence.md#agent-addresses',
  ],
  'direct.tls': [
    'A peer whose certificate is not trusted gets no request, and the message goes through the platform.',
    PAGE,
  ],
  'direct.token-renewed': [
    'After a 401 of the peer the platform is asked once for a new token, and the same message is sent with it; after a second 401 it goes through the platform.',
    PAGE,
  ],
  'direct.one-lookup': [
    'Calls at the same time ask the platform for a peer once, later ones not before its token is due for replacement.',
    PAGE,
  ],
  'direct.avoids-failing-peers': [
    'After a failed direct call a peer is called through the platform for 30 seconds, or as long as its `Retry-After` says.',
    PAGE,
  ],
  'direct.refused': [
    'A peer that refuses a message as part of a loop, or because its id was used for another one, ends the call with that error, without the words of the peer.',
    PAGE,
  ],
  'direct.working': [
    'A peer that needs longer responds with a task: the reply is `queued` with `via: "direct"`, `getMessage` asks the peer, and `waitForAnswer` returns its answer or other end.',
    STATES,
  ],
  'direct.late-answer': [
    'The message that brings the end of a direct message ends `waitForAnswer`, and is then not handled; if nobody waits, it is handled.',
    'docs/contract/messages.md#direct-calls; docs/contract/messages.md#late-answers',
  ],
  'direct.late-answer.push': [
    'A late message that the platform pushes ends `waitForAnswer` with the end that it brings, without markers; what a call has returned is not handled.',
    'docs/contract/messages.md#direct-calls; docs/contract/messages.md#late-answers',
  ],
  'direct.late-answer.open-metadata': [
    'A late answer to a direct message is an answer whatever the application writes into its metadata: the marks of other ends are removed from it, and `state` and `code` are passed on.',
    'docs/contract/messages.md#ends-of-direct-messages',
  ],
  'direct.peer-gone': [
    'When the peer cannot be asked, `waitForAnswer` finds the answer on the feed; messages of other peers do not count.',
    STATES,
  ],
  'direct.cancel': [
    '`cancelTask` and the abort of a call cancel a direct message at the peer.',
    'docs/contract/messages.md#direct-calls; docs/contract/messages.md#cancellation',
  ],
  'direct.path': [
    'A call in a handler carries hops and path of what led to it, as far as known; after a late answer those of its question, and after 500 late answers it is not sent.',
    'docs/contract/messages.md#loops; docs/decisions/0034-loops-end.md',
  ],
  'direct.peer-changed': [
    'A peer whose name, card or address is another one than when it was first used, also before a restart, is reported once, by ids only.',
    CHANGES,
  ],
  'direct.peer-changed.blocks': [
    'With `onPeerChange: "block"` no message reaches a peer that has changed, on any path and after a restart, also while it cannot be looked up, until `acceptPeerChange`.',
    CHANGES,
  ],
  'direct.agents.answer': [
    'Two agents on one platform: the handler of the called one gets the caller from its token, each end of its message is the status of the reply, a repeat gets the same answer, and the platform has no record.',
    STATES,
  ],
  'direct.agents.late-answer': [
    'An agent that needs longer than the caller waits answers later; the caller gets each end once.',
    'docs/contract/messages.md#direct-calls; docs/contract/messages.md#late-answers',
  ],
  'direct.agents.cancel': [
    'The abort of a direct call aborts the signal of the handler.',
    'docs/contract/messages.md#direct-calls; docs/contract/messages.md#cancellation',
  ],
  'direct.agents.lost-response': [
    'A message whose direct response is lost is answered through the platform, and its handler runs once.',
    'docs/decisions/0010-message-dedupe.md; docs/decisions/0101-direct-peer-calls.md',
  ],
  'direct.agents.killed-peer': [
    'A peer that is killed while it handles a direct message handles it again after its restart, from its own store; the caller gets the answer through the platform, and effects of `once` happen once.',
    'docs/decisions/0010-message-dedupe.md; docs/decisions/0101-direct-peer-calls.md',
  ],
  'direct.agents.killed-sender': [
    'A sender that is killed and calls again with the same message id gets the answer, and the handler runs once.',
    'docs/contract/messages.md#direct-calls; docs/decisions/0101-direct-peer-calls.md',
  ],
  'direct.agents.not-accepting': [
    'A message to an agent that does not accept any is stored by the platform, and handled once when the agent accepts messages.',
    PAGE,
  ],
  'direct.agents.ring': [
    'Three agents that call each other directly in a ring end by one `loop_detected`, and the first one answers.',
    'docs/contract/messages.md#loops',
  ],
  'direct.agents.token-of-another': [
    'The token for one peer is refused by another.',
    'docs/decisions/0009-peer-tokens.md',
  ],
  'direct.says-why-not': [
    'At the level debug a client says why a call is not direct: no URL, no token, a call that failed before, or what came of the direct call, with status or cause.',
    PAGE,
  ],
  'direct.peer-away-is-queued': [
    'A message to a peer that is away, or whose URL is gone, is stored at once by the platform, however it is sent: its lookup is not repeated, and the tool for models leaves no message unsent.',
    PAGE,
  ],
  'direct.closes': ['Closing the client closes the connections to all peers.', PAGE],
});
