import { behaviours } from './behaviour.ts';

/** Who may find and talk to whom. */
export const PEERS = behaviours({
  'peers.table': [
    'Same, siblings, parent and child, and root siblings may talk; everybody else may not.',
    'docs/contract/authentication.md#who-may-communicate; docs/decisions/0007-communication-rules.md',
  ],
  'peers.ancestors-are-opt-in': [
    'Two levels apart is a 403, unless the hierarchy is set to ancestors.',
    'docs/contract/authentication.md#who-may-communicate; docs/decisions/0007-communication-rules.md',
  ],
  'peers.discover.oneself-without-a-url': [
    'Discovering oneself is a 200 also when one has no URL.',
    'docs/contract/presence.md#finding-peers; docs/decisions/0001-published-pages-work.md',
  ],
  'peers.discover.answer': [
    'Discover answers id, URL, name, role, status, delivery mode and the agent card.',
    'docs/contract/presence.md#finding-peers',
  ],
  'peers.discover.poll': [
    'The URL of a peer that polls is its A2A route on the platform: a client that posts to it gets the answer.',
    'docs/contract/presence.md#finding-peers',
  ],
  'card.base-url': [
    'A client of A2A finds the card of a workspace at its A2A route, as agent-card.json and agent.json, and beside it; the card names that route.',
    'docs/contract/presence.md#card-for-clients-of-a2a',
  ],
  'card.kept': [
    'What an agent wrote in its card is kept, except addresses, signatures and what the platform does not offer.',
    'docs/contract/presence.md#card-for-clients-of-a2a',
  ],
  'card.complete': [
    'A card has all that A2A requires: what an agent left out, or wrote in another form, is filled in.',
    'docs/contract/presence.md#card-for-clients-of-a2a',
  ],
  'card.versions': [
    'The card of an agent that polls offers A2A 0.3 and 1.0, that of an agent with a server the versions that it names.',
    'docs/contract/presence.md#card-for-clients-of-a2a',
  ],
  'card.access': [
    'The card is for those who may discover the workspace, also while its agent is away.',
    'docs/contract/presence.md#card-for-clients-of-a2a',
  ],
  'peers.discover.denied': [
    'Discovering a workspace one may not talk to is a 403, and so is an unknown one or a 404.',
    'docs/contract/presence.md#finding-peers',
  ],
  'peers.list.order': [
    'Peers are siblings, then children, then the parent; never oneself, never removed ones.',
    'docs/contract/presence.md#finding-peers',
  ],
  'peers.list.row': [
    'A peer row has the keys that clients of the External Agents page and of the Python SDK’s README read.',
    'docs/contract/presence.md#finding-peers; docs/contract/compatibility.md#remote-workspaces-guide',
  ],
  'peers.list.filter': [
    'q filters peers by name or role in any letter case, also when a role is missing.',
    'docs/contract/presence.md#finding-peers',
  ],
  'peers.check-access.answers-without-secrets': [
    'check-access needs a credential, answers allowed, and false for unknown ids.',
    'docs/contract/presence.md#finding-peers; docs/decisions/0008-unauthenticated-routes.md',
  ],
});
