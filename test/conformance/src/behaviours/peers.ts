import { behaviours } from './behaviour.ts';

/** Who may find and talk to whom. */
export const PEERS = behaviours({
  'peers.table': [
    'Same, siblings, parent and child, and root siblings may talk; everybody else may not.',
    'seed 002, communication rules; decision 7; wire contract 10.3 vector 17',
  ],
  'peers.ancestors-are-opt-in': [
    'Two levels apart is a 403, unless the hierarchy is set to ancestors.',
    'decision 7; wire contract 8 row 17',
  ],
  'peers.discover.oneself-without-a-url': [
    'Discovering oneself is a 200 also when one has no URL.',
    'decision 1; seed 002 step 6',
  ],
  'peers.discover.answer': [
    'Discover answers id, URL, name, role, status, delivery mode and the agent card.',
    'wire contract 3.13, 8 row 18',
  ],
  'peers.discover.denied': [
    'Discovering a workspace one may not talk to is a 403, and so is an unknown one or a 404.',
    'wire contract 3.13',
  ],
  'peers.list.order': [
    'Peers are siblings, then children, then the parent; never oneself, never removed ones.',
    'wire contract 3.14',
  ],
  'peers.list.row': [
    'A peer row has the keys that S2 and S3 clients read.',
    'wire contract 3.14; seed 000, 30.6',
  ],
  'peers.list.filter': [
    'q filters peers by name or role in any letter case, also when a role is missing.',
    'wire contract 3.14, 9 weakness 18',
  ],
  'peers.check-access.answers-without-secrets': [
    'check-access needs a credential, answers allowed, and false for unknown ids.',
    'wire contract 3.15, 9 weakness 22; decision 8',
  ],
});
