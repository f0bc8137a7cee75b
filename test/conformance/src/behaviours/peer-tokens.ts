import { behaviours } from './behaviour.ts';

/** The tokens by which agents verify who calls their servers. */
export const PEER_TOKENS = behaviours({
  'peer-tokens.discover': [
    'Discovering a peer with a URL gives a workspace a token for this peer, valid for five minutes at most.',
    'docs/contract/authentication.md#peer-tokens; docs/decisions/0051-peer-tokens.md',
  ],
  'peer-tokens.discover-without': [
    'No token is given to operators, for peers without a URL or that are paused, and without a public URL.',
    'docs/contract/authentication.md#peer-tokens; docs/decisions/0051-peer-tokens.md',
  ],
  'peer-tokens.push': [
    'Every push, that of a cancellation included, has a token for its agent that names the caller or the canvas.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0009-peer-tokens.md',
  ],
  'peer-tokens.push-cannot-be-imitated': [
    'What a sender sets as Authorization or caller headers does not reach the agent.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0009-peer-tokens.md',
  ],
  'peer-tokens.issuer': [
    'The issuer of all tokens is in the register response: the public URL, or a name that restarts keep.',
    'docs/contract/presence.md#register; docs/decisions/0051-peer-tokens.md',
  ],
  'peer-tokens.jwks': [
    'The keys are public, EdDSA only, and may be cached for five minutes.',
    'docs/contract/authentication.md#peer-tokens; docs/decisions/0008-unauthenticated-routes.md',
  ],
  'peer-tokens.verification': [
    'A token of another target, issuer or use, one that is too old or too young, and one signed otherwise is refused.',
    'docs/contract/authentication.md#peer-tokens; docs/decisions/0009-peer-tokens.md',
  ],
  'peer-tokens.reuse': [
    'The same caller and target have one token for four of its five minutes.',
    'docs/contract/authentication.md#peer-tokens; docs/decisions/0051-peer-tokens.md',
  ],
  'peer-tokens.rotation': [
    'While keys rotate under load, keys that were read five minutes ago verify every push.',
    'docs/contract/authentication.md#keys-of-peer-tokens; docs/decisions/0051-peer-tokens.md',
  ],
  'peer-tokens.rotation-under-load': [
    'While keys rotate, agents refuse no push and no direct call: they accept tokens of the new key at once, and those of the old one as long as they are valid.',
    'docs/contract/authentication.md#keys-of-peer-tokens; docs/decisions/0051-peer-tokens.md',
  ],
  'peer-tokens.restart': [
    'A restart keeps the keys, which are encrypted on the disk of a production platform.',
    'docs/contract/authentication.md#keys-of-peer-tokens; docs/decisions/0051-peer-tokens.md',
  ],
});
