import { behaviours } from './behaviour.ts';

export const PEERS = behaviours({
  'peers.table': [
    'A workspace may discover and call only itself, its parent, its children and its siblings (root workspaces are siblings).',
    'docs/contract/authentication.md#who-may-communicate; docs/decisions/0007-communication-rules.md',
  ],
  'peers.ancestors-are-opt-in': [
    'Ancestors and descendants two or more levels apart may talk only with the hierarchy set to ancestors.',
    'docs/contract/authentication.md#who-may-communicate; docs/decisions/0007-communication-rules.md',
  ],
  'peers.check-access': [
    'The check-access route tells whether one workspace may call another.',
    'docs/contract/presence.md#finding-peers; docs/decisions/0008-unauthenticated-routes.md',
  ],
  'peers.discover.answer': [
    'Discovering a peer or oneself returns URL, name, role, status, delivery mode and agent card.',
    'docs/contract/presence.md#finding-peers',
  ],
  'peers.discover.poll': [
    'The discovered URL of a polling peer is its A2A route on the platform.',
    'docs/contract/presence.md#finding-peers',
  ],
  'peers.list.order': [
    'Peers are listed as siblings, then children, then the parent, each with status, URL and card.',
    'docs/contract/presence.md#finding-peers; docs/contract/compatibility.md#remote-workspaces-guide',
  ],
  'peers.list.filter': [
    'The list of peers can be filtered by name or role.',
    'docs/contract/presence.md#finding-peers',
  ],
  'card.is-replaced': [
    'An agent replaces its whole card with update-card or a heartbeat.',
    'docs/contract/presence.md#agent-card',
  ],
  'card.base-url': [
    'An A2A client finds the card of a workspace at the A2A route that the card names.',
    'docs/contract/presence.md#card-for-clients-of-a2a',
  ],
  'card.kept-and-completed': [
    'The card is what the agent wrote, adapted to the platform and completed as A2A requires.',
    'docs/contract/presence.md#card-for-clients-of-a2a; docs/contract/receiving.md#streams',
  ],
  'card.access': [
    'Only those who may discover a workspace can read its card.',
    'docs/contract/presence.md#card-for-clients-of-a2a',
  ],
  'capabilities.offered': [
    'Every response lists the capabilities of the platform, which are the documented ones.',
    'docs/contract/compatibility.md#capabilities; docs/decisions/0041-capabilities.md',
  ],
  'openapi.describes-every-mounted-route': [
    'Every caller with a credential gets an OpenAPI 3.1 document of exactly the routes served.',
    'docs/decisions/0008-unauthenticated-routes.md',
  ],
});
