import { behaviours } from './behaviour.ts';

export const PUSH = behaviours({
  'push.request': [
    'A push is a JSON-RPC POST to the registered URL, with A2A headers but no credentials of the caller.',
    'docs/contract/messages.md#push-delivery; docs/contract/messages.md#repairs',
  ],
  'push.path-is-found': [
    'At a registered origin that answers 404 or 405, messages are pushed to /a2a or /a2a/inbound.',
    'docs/contract/messages.md#push-delivery; docs/contract/compatibility.md#register-tutorial',
  ],
  'push.wrong-name-or-certificate': [
    'While an agent’s name, scheme or certificate is wrong, nothing is sent to it and its messages wait.',
    'docs/contract/messages.md#push-delivery; docs/contract/presence.md#agent-addresses',
  ],
  'push.rpc-error-passes': [
    'A JSON-RPC error of an agent reaches a caller that speaks JSON-RPC.',
    'docs/contract/messages.md#push-delivery; docs/contract/messages.md#json-rpc-callers',
  ],
  'push.agent-error': [
    'A message whose push gets a 500 or an invalid body fails for good.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0025-errors.md',
  ],
  'push.repeated-with-the-same-id': [
    'A push without a whole response in time is repeated with the same message id.',
    'docs/contract/messages.md#push-delivery; docs/contract/limits.md#time-limits',
  ],
  'push.not-accepting': [
    'A push refused as not_accepting or rate_limited is repeated and costs no attempt.',
    'docs/contract/messages.md#push-delivery; docs/contract/receiving.md#places-for-requests',
  ],
  'push.dead-letter': [
    'A message fails after five failed pushes, and its sender is told.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0012-delivery-guarantee.md',
  ],
});
