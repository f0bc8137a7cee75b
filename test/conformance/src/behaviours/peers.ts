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
