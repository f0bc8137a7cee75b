import { behaviours } from './behaviour.ts';

export const DIRECT = behaviours({
  'direct.answered': [
    '`callPeer` and `streamPeer` reach a peer directly where the platform gives its URL and a token.',
    'docs/contract/messages.md#direct-calls; docs/decisions/0101-direct-peer-calls.md',
  ],
  'direct.no-token-no-call': [
    'A peer is called directly only with a token for it, unless `directCalls` is `always`.',
    'docs/contract/messages.md#direct-calls; docs/decisions/0101-direct-peer-calls.md',
  ],
  'direct.proxy-only': [
    'Calls with `via: "proxy"` or `directCalls: "off"`, answers to questions and `sendToPeer` go through the platform.',
    'docs/contract/messages.md#direct-calls',
  ],
  'direct.token-kept': [
    'The client keeps the token for a peer until it is due or refused, and then renews it.',
    'docs/contract/messages.md#direct-calls',
  ],
  'direct.addresses': [
    'A direct call reaches no refused address, no untrusted server and no target of a redirect.',
    'docs/contract/messages.md#direct-calls; docs/contract/presence.md#agent-addresses',
  ],
  'direct.falls-back': [
    'A message that a peer does not accept directly in time goes through the platform, with the same id.',
    'docs/decisions/0010-message-dedupe.md; docs/contract/messages.md#direct-calls',
  ],
  'direct.avoids-failing-peers': [
    'A peer whose direct call failed is called through the platform for 30 s, or for its `Retry-After`.',
    'docs/contract/messages.md#direct-calls',
  ],
  'direct.refused': [
    'A peer’s refusal of a loop or of a reused message id ends the direct call with that error.',
    'docs/contract/messages.md#direct-calls',
  ],
  'direct.late-answer': [
    'The late end of a direct message reaches its sender once, from `waitForAnswer` or as a message.',
    'docs/contract/messages.md#direct-calls; docs/contract/messages.md#late-answers',
  ],
  'direct.cancel': [
    'Canceling a direct message, or aborting its call, stops it at the peer.',
    'docs/contract/messages.md#direct-calls; docs/contract/messages.md#cancellation',
  ],
  'direct.killed': [
    'A direct message gets its answer after its sender or its peer was killed and started again.',
    'docs/contract/messages.md#direct-calls; docs/decisions/0101-direct-peer-calls.md',
    'test:processes',
  ],
  'direct.peer-changed': [
    'A peer whose name, card or address has changed since its first use is reported once.',
    'docs/contract/messages.md#direct-calls; docs/decisions/0101-direct-peer-calls.md',
  ],
  'direct.peer-changed.blocks': [
    'With `onPeerChange: "block"` a changed peer gets no message until `acceptPeerChange`.',
    'docs/contract/messages.md#direct-calls; docs/decisions/0101-direct-peer-calls.md',
  ],
  'direct.says-why-not': [
    'At the level debug the client logs why a call was not answered directly.',
    'docs/contract/messages.md#direct-calls',
  ],
  'direct.closes': [
    'Closing the client ends its direct calls and their connections.',
    'docs/contract/messages.md#direct-calls',
  ],
});
