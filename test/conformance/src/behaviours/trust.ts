import { behaviours } from './behaviour.ts';

export const TRUST = behaviours({
  'trust.own-metadata': [
    'Metadata that an agent writes cannot pass for the platform’s word on how a message ended.',
    'docs/contract/trust-boundary.md#what-a-peer-chooses; docs/contract/messages.md#late-answers',
  ],
  'trust.forged-answers': [
    'A message answers another one only where that was sent, to whoever answers; any other claim, and each key of the platform, is removed.',
    'docs/contract/messages.md#keys-of-the-platform',
  ],
  'trust.wrapped-for-workspaces': [
    'Every answer, question, error and stream of a peer reaches a workspace inside boundary markers.',
    'docs/contract/trust-boundary.md#what-is-wrapped; docs/contract/messages.md#ends-without-an-answer',
  ],
  'trust.people-see-bare-text': [
    'People on the canvas read the answers of agents without boundary markers.',
    'docs/decisions/0019-wrapping-peer-text.md',
  ],
  'trust.forged-markers-lose-nothing': [
    'Boundary markers that a peer writes itself have no effect and are restored by the client as written.',
    'docs/contract/trust-boundary.md#look-alikes; docs/decisions/0020-boundary-markers.md',
  ],
  'trust.wrapping-can-be-switched-off': [
    'With `MOLECULE_WRAP_PEER_RESULTS=false` the platform adds no boundary markers to answers.',
    'docs/decisions/0019-wrapping-peer-text.md',
  ],
  'trust.strip-undoes-wrap': [
    'Stripping gives back what was wrapped, and leaves text without a full pair of markers unchanged.',
    'docs/contract/trust-boundary.md#stripping; docs/decisions/0021-stripping.md',
  ],
  'trust.markers-removed': [
    'Boundary markers that a model repeats are removed from its text, and all other words stay.',
    'docs/contract/trust-boundary.md#removing',
  ],
  'trust.fenced-for-models': [
    'Whatever a peer writes, also about itself, reaches a model marked as untrusted.',
    'docs/contract/trust-boundary.md#text-for-a-model; docs/contract/tools.md#outcomes',
  ],
});
