import { behaviours } from './behaviour.ts';

/** Reading, changing, pausing and removing a workspace. */
export const LIFECYCLE = behaviours({
  'lifecycle.pause.is-sticky': [
    'Register and heartbeat do not clear a pause: the state still says paused.',
    'decision 17; wire contract 8 row 40, 10.3 vector 9',
  ],
  'lifecycle.pause.keeps-the-url': ['A paused workspace keeps its URL.', 'decision 17'],
  'lifecycle.pause.takes-descendants': [
    'A pause and a resume take the descendants along and count them.',
    'wire contract 2.2 and 3.6',
  ],
  'lifecycle.pause.is-not-swept': [
    'A paused workspace is not watched for heartbeats: it stays paused.',
    'seed 002, lifecycle',
  ],
  'lifecycle.resume.awaits-the-next-heartbeat': [
    'A resumed workspace awaits its agent and is online with the next heartbeat.',
    'decision 17; wire contract 8 row 40',
  ],
  'lifecycle.resume.waits-for-its-parent': [
    'A workspace whose parent is paused cannot be resumed: 409 naming the parent.',
    'wire contract 3.6',
  ],
  'lifecycle.pause.twice-is-refused': [
    'Pausing a paused and resuming an active workspace are a 404 with a code of their own.',
    'wire contract 3.6',
  ],
  'lifecycle.state.tells-paused-and-deleted': [
    'The state of a workspace is its id, its status, paused and deleted.',
    'wire contract 3.7; seed 003',
  ],
  'lifecycle.remove.old-token-learns-of-it': [
    'A removed agent sees state 404 deleted, heartbeat 401 workspace_removed, read 410 and calls refused.',
    'decision 17; wire contract 8 row 13, 10.3 vector 10',
  ],
  'lifecycle.remove.gone-body': [
    'Reading a removed workspace is a 410 with error, id, removed_at and hint.',
    'seed 002, removed status; wire contract 3.3',
  ],
  'lifecycle.remove.audit-read': [
    'Only include_removed=true reads a removed workspace; any other value is a 410.',
    'seed 002, removed status; wire contract 10.3 vector 11',
  ],
  'lifecycle.remove.children-need-confirmation': [
    'Deleting a workspace with children is a 409 listing them until confirm=true takes them along.',
    'wire contract 3.5',
  ],
  'lifecycle.remove.leaves-the-list': [
    'A removed workspace is neither in the list of workspaces nor among the peers.',
    'wire contract 3.2 and 3.14',
  ],
  'lifecycle.remove.operator-only': ['A workspace cannot remove itself or another one.', 'wire contract 3.5'],
  'lifecycle.remove.again-is-harmless': ['Deleting a removed workspace again is a 200.', 'wire contract 3.5'],
  'lifecycle.remove.is-final': [
    'A removed workspace cannot be registered again, by the operator neither.',
    'seed 002, removed status',
  ],
  'lifecycle.remove.fails-waiting-messages': [
    'Messages that wait for a removed workspace become failures that their sender can read.',
    'decision 12',
  ],
  'lifecycle.patch.changes-what-is-given': [
    'A patch changes the fields it names and leaves the others.',
    'wire contract 3.4',
  ],
  'lifecycle.patch.place-and-rank-are-the-operator-s': [
    'A workspace token cannot change its own parent, tier or runtime.',
    'wire contract 9 weakness 7',
  ],
  'lifecycle.patch.no-circles': [
    'A patch that would make a workspace its own ancestor is a 400.',
    'wire contract 3.4',
  ],
});
