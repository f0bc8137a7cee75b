import { behaviours } from './behaviour.ts';

/** Reading, changing, pausing and removing a workspace. */
export const LIFECYCLE = behaviours({
  'lifecycle.pause.is-sticky': [
    'Register and heartbeat do not clear a pause: the state still says paused.',
    'docs/contract/presence.md#pause-and-resume; docs/decisions/0017-pause-and-removal.md',
  ],
  'lifecycle.pause.keeps-the-url': [
    'A paused workspace keeps its URL.',
    'docs/decisions/0017-pause-and-removal.md',
  ],
  'lifecycle.pause.takes-descendants': [
    'A pause and a resume take the descendants along and count them.',
    'docs/contract/presence.md#pause-and-resume',
  ],
  'lifecycle.pause.is-not-swept': [
    'A paused workspace is not watched for heartbeats: it stays paused.',
    'docs/contract/presence.md#liveness; docs/contract/compatibility.md#external-agents-page',
  ],
  'lifecycle.resume.awaits-the-next-heartbeat': [
    'A resumed workspace awaits its agent and is online with the next heartbeat.',
    'docs/contract/presence.md#pause-and-resume; docs/decisions/0017-pause-and-removal.md',
  ],
  'lifecycle.resume.waits-for-its-parent': [
    'A workspace whose parent is paused cannot be resumed: 409 naming the parent.',
    'docs/contract/presence.md#pause-and-resume',
  ],
  'lifecycle.resume.keeps-other-pauses': [
    'A resume of the parent does not resume what was paused itself, nor what is below that.',
    'docs/contract/presence.md#pause-and-resume',
  ],
  'lifecycle.resume.not-against-the-operator': [
    'An agent cannot resume what an operator paused, also when it had paused itself before: 403.',
    'docs/contract/presence.md#pause-and-resume',
  ],
  'lifecycle.pause.twice-is-refused': [
    'Pausing a paused and resuming an active workspace are a 404 with a code of their own.',
    'docs/contract/presence.md#pause-and-resume',
  ],
  'lifecycle.state.tells-paused-and-deleted': [
    'The state of a workspace is its id, its status, paused and deleted.',
    'docs/contract/presence.md#state; docs/contract/compatibility.md#python-sdk-readme',
  ],
  'lifecycle.remove.old-token-learns-of-it': [
    'A removed agent sees state 404 deleted, heartbeat 401 workspace_removed, read 410 and calls refused.',
    'docs/contract/authentication.md#the-token-of-a-removed-workspace; docs/decisions/0017-pause-and-removal.md',
  ],
  'lifecycle.remove.gone-body': [
    'Reading a removed workspace is a 410 with error, id, removed_at and hint.',
    'docs/contract/presence.md#read-and-change; docs/contract/compatibility.md#external-agents-page',
  ],
  'lifecycle.remove.audit-read': [
    'Only include_removed=true reads a removed workspace; any other value is a 410.',
    'docs/contract/presence.md#read-and-change; docs/contract/compatibility.md#external-agents-page',
  ],
  'lifecycle.remove.children-need-confirmation': [
    'Deleting a workspace with children is a 409 listing them until confirm=true takes them along.',
    'docs/contract/presence.md#remove',
  ],
  'lifecycle.remove.leaves-the-list': [
    'A removed workspace is neither in the list of workspaces nor among the peers.',
    'docs/contract/presence.md#read-and-change; docs/contract/presence.md#finding-peers',
  ],
  'lifecycle.remove.operator-only': [
    'A workspace cannot remove itself or another one.',
    'docs/contract/presence.md#remove',
  ],
  'lifecycle.remove.again-is-harmless': [
    'Deleting a removed, purged or unknown workspace is a 200 that removes nothing.',
    'docs/contract/presence.md#remove',
  ],
  'lifecycle.remove.is-final': [
    'A removed workspace cannot be registered again, by the operator neither.',
    'docs/contract/presence.md#remove',
  ],
  'lifecycle.remove.fails-waiting-messages': [
    'Messages that wait for a removed workspace become failures that their sender can read.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'lifecycle.patch.changes-what-is-given': [
    'A patch changes the fields it names and leaves the others.',
    'docs/contract/presence.md#read-and-change',
  ],
  'lifecycle.patch.place-and-rank-are-the-operator-s': [
    'A workspace token cannot change its own parent, tier or runtime.',
    'docs/contract/presence.md#read-and-change',
  ],
  'lifecycle.patch.no-circles': [
    'A patch that would make a workspace its own ancestor is a 400.',
    'docs/contract/presence.md#read-and-change',
  ],
});
