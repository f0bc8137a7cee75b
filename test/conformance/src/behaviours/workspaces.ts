import { behaviours } from './behaviour.ts';

export const WORKSPACES = behaviours({
  'registry.create.awaits-agent': [
    'Creating a workspace returns its first token, the platform’s public URL and the status awaiting_agent.',
    'docs/contract/presence.md#create; docs/decisions/0003-first-registration.md',
  ],
  'registry.create.names-may-repeat': [
    'Two workspaces may have the same name.',
    'docs/contract/presence.md#create',
  ],
  'registry.create.default-tier-is-three': [
    'A workspace has tier 3 unless it is created with another.',
    'docs/contract/presence.md#create',
  ],
  'registry.register.own-token-mints-none': [
    'A registration with the workspace’s own token brings it online and issues no other token.',
    'docs/contract/presence.md#register; docs/decisions/0003-first-registration.md',
  ],
  'registry.register.first-claim': [
    'A new workspace can be claimed once without a credential, within 15 minutes of its creation.',
    'docs/contract/authentication.md#who-may-register; docs/decisions/0003-first-registration.md',
  ],
  'registry.register.claimed-needs-credential': [
    'A claimed workspace can be registered only with its own token or by an operator.',
    'docs/contract/authentication.md#who-may-register; docs/contract/authentication.md#first-claim',
  ],
  'registry.register.operator-mints-if-needed': [
    'An operator’s registration returns a token if the workspace is unclaimed, has none, or rotate is true.',
    'docs/contract/compatibility.md#register-tutorial; docs/decisions/0003-first-registration.md',
  ],
  'registry.register.refusals-are-alike': [
    'Every registration that is refused for its credential gets the same 401.',
    'docs/decisions/0003-first-registration.md',
  ],
  'registry.register.response': [
    'The response to a registration has id, workspace_id, delivery_mode, org_id and a null expires_at.',
    'docs/contract/presence.md#register; docs/contract/compatibility.md#register-tutorial',
  ],
  'registry.register.missing-url-means-poll': [
    'An agent that registers without a URL polls.',
    'docs/contract/presence.md#delivery-mode',
  ],
  'registry.heartbeat.only-proof-of-life': [
    'Only heartbeats and registrations keep a workspace online or bring it back online.',
    'docs/contract/presence.md#liveness; docs/decisions/0005-liveness.md',
  ],
  'registry.liveness.silent-is-offline': [
    'A workspace without a heartbeat for 90 s, by default, is offline at most 15 s later.',
    'docs/contract/presence.md#liveness; docs/decisions/0005-liveness.md',
  ],
  'registry.heartbeat.degrades-and-recovers': [
    'A workspace is degraded from an error rate of 0.5 until one below 0.1, or while its agent is wedged.',
    'docs/contract/presence.md#heartbeat',
  ],
  'registry.heartbeat.tells-the-state': [
    'Heartbeat responses and the state of a workspace have its status, paused and deleted.',
    'docs/contract/presence.md#heartbeat; docs/contract/presence.md#state',
  ],
  'registry.heartbeat.omitted-metrics-stay': [
    'A metric that a heartbeat leaves out keeps its value.',
    'docs/contract/presence.md#heartbeat; docs/decisions/0005-liveness.md',
  ],
  'registry.heartbeat.lag-is-shown': [
    'A workspace shows the task, lag and state of its agent and, except to peers, its last error.',
    'docs/contract/presence.md#heartbeat; docs/contract/compatibility.md#remote-workspaces-guide',
  ],
  'registry.either-spelling': [
    'A request may use either published spelling of a field, such as id or workspace_id.',
    'docs/contract/compatibility.md#request-aliases',
  ],
  'lifecycle.operator-only': [
    'Only operators can create or remove a workspace, or change its parent, tier or runtime.',
    'docs/contract/presence.md#create; docs/contract/presence.md#remove',
  ],
  'lifecycle.patch.changes-what-is-given': [
    'A patch changes only the fields that it names.',
    'docs/contract/presence.md#read-and-change',
  ],
  'lifecycle.pause.is-sticky': [
    'A paused workspace keeps its status and its URL until it is resumed.',
    'docs/contract/presence.md#pause-and-resume; docs/decisions/0017-pause-and-removal.md',
  ],
  'lifecycle.pause.takes-descendants': [
    'Pausing or resuming a workspace includes its descendants, except those paused separately.',
    'docs/contract/presence.md#pause-and-resume',
  ],
  'lifecycle.pause.one-cause-each': [
    'Each reason for which a pause or a resume is refused has an error of its own.',
    'docs/contract/presence.md#pause-and-resume; docs/decisions/0122-errors-name-the-next-step.md',
  ],
  'lifecycle.resume.not-against-the-operator': [
    'Only an operator can resume what an operator paused.',
    'docs/contract/presence.md#pause-and-resume',
  ],
  'lifecycle.resume.waits-for-its-parent': [
    'A workspace cannot be resumed while its parent is paused.',
    'docs/contract/presence.md#pause-and-resume',
  ],
  'lifecycle.resume.awaits-the-next-heartbeat': [
    'A resumed workspace awaits its agent and is online with the next heartbeat.',
    'docs/contract/presence.md#pause-and-resume; docs/decisions/0017-pause-and-removal.md',
  ],
  'lifecycle.remove.children-need-confirmation': [
    'Removing a workspace with children is a 409 that lists them until it is confirmed.',
    'docs/contract/presence.md#remove',
  ],
  'lifecycle.remove.again-is-harmless': [
    'Removing a workspace again, or an unknown one, is a 200.',
    'docs/contract/presence.md#remove',
  ],
  'lifecycle.remove.is-final': [
    'A removed workspace cannot be registered again.',
    'docs/contract/presence.md#remove',
  ],
  'lifecycle.remove.gone': [
    'A removed workspace is in no list and is a 410, unless include_removed=true is given.',
    'docs/contract/presence.md#read-and-change; docs/contract/messages.md#delivery-by-state-of-the-target',
  ],
  'lifecycle.remove.old-token-learns-of-it': [
    'The token of a removed workspace is refused with a response that tells of the removal.',
    'docs/contract/authentication.md#the-token-of-a-removed-workspace; docs/decisions/0017-pause-and-removal.md',
  ],
  'lifecycle.remove.fails-waiting-messages': [
    'Messages that wait for a removed workspace become failures that their senders can read.',
    'docs/decisions/0012-delivery-guarantee.md',
  ],
  'presence.worker.paused-process': [
    'The process of a paused agent keeps running and takes messages again after the resume.',
    'docs/contract/presence.md#pause-and-resume; docs/decisions/0106-heartbeats-from-a-worker.md',
    'test:processes',
  ],
  'presence.cadence': [
    'A running agent stays online with a heartbeat at least every 30 s.',
    'docs/contract/presence.md#heartbeat; docs/decisions/0005-liveness.md',
  ],
  'presence.calls-delay-nothing': [
    'An agent that waits for slow peers still sends heartbeats, answers messages and cancels calls.',
    'docs/contract/receiving.md#many-agents-in-one-process',
    'test:processes',
  ],
  'presence.blocked-stays-online': [
    'An agent stays online while its event loop is blocked for less than maxBlockMs.',
    'docs/contract/presence.md#heartbeats-of-a-blocked-agent; docs/decisions/0106-heartbeats-from-a-worker.md',
    'test:processes',
  ],
  'presence.wedged': [
    'An agent that is blocked for maxBlockMs is reported as wedged until it runs again.',
    'docs/contract/presence.md#heartbeats-of-a-blocked-agent; docs/decisions/0106-heartbeats-from-a-worker.md',
    'test:processes',
  ],
  'presence.reports-the-lag': [
    'Heartbeats report the lag of the event loop.',
    'docs/contract/presence.md#heartbeat; docs/decisions/0106-heartbeats-from-a-worker.md',
    'test:processes',
  ],
  'presence.suspended-returns': [
    'An agent whose process was suspended comes back online and handles once what was sent meanwhile.',
    'docs/contract/presence.md#heartbeats-of-a-blocked-agent; docs/decisions/0106-heartbeats-from-a-worker.md',
    'test:processes',
  ],
  'presence.worker.shared-by-copies': [
    'All agents of a process share one heartbeat worker, which ends with the last of them.',
    'docs/contract/presence.md#heartbeats-of-a-blocked-agent; docs/decisions/0106-heartbeats-from-a-worker.md',
    'test:processes',
  ],
  'presence.worker.certificates': [
    'An agent starts only with a platform whose certificate Node or the program trusts.',
    'docs/contract/presence.md#heartbeats-of-a-blocked-agent; docs/decisions/0106-heartbeats-from-a-worker.md',
    'test:processes',
  ],
  'presence.return-spread': [
    'Of 200 agents that start or return together, all arrive within 31 s, at most 12 % in any second.',
    'docs/contract/presence.md#after-an-outage; docs/decisions/0108-never-half-dead.md',
    'test:processes',
  ],
  'presence.ends': [
    'Heartbeat and agent loops end with the reason paused, removed, revoked or stopped.',
    'docs/contract/presence.md#how-an-agent-ends; docs/decisions/0017-pause-and-removal.md',
  ],
  'state-calls.push': [
    'An agent with a server is called once when its workspace is paused, resumed or removed.',
    'docs/contract/presence.md#state-calls; docs/decisions/0017-pause-and-removal.md',
  ],
  'state-calls.held-reads': [
    'A long poll ends at once when its workspace is paused, resumed or removed.',
    'docs/contract/presence.md#state-calls; docs/contract/feed.md#long-poll',
  ],
  'platform.stops-at-once': [
    'A platform that stops ends waiting reads and streams at once.',
    'docs/contract/feed.md#long-poll; docs/contract/streams.md#ends-of-a-stream',
  ],
  'platform.default-port': [
    'The platform listens on port 8080 unless configured otherwise.',
    'docs/contract/compatibility.md#external-agents-page; docs/decisions/0001-published-pages-work.md',
  ],
  'platform.command.workspace-create': [
    '`molecule-platform workspace create` prints exactly the environment that an agent needs.',
    'docs/decisions/0123-commands-of-the-platform.md#workspaces',
    'test:processes',
  ],
  'platform.command.workspace-create-elsewhere': [
    'Without a URL, `molecule-platform workspace create` makes no workspace at a platform whose data folder is another one, and names it.',
    'docs/decisions/0123-commands-of-the-platform.md#workspaces',
    'test:processes',
  ],
  'platform.command.workspace-create-errors': [
    'A failed `molecule-platform workspace create` states the cause and what to do, never a key.',
    'docs/decisions/0123-commands-of-the-platform.md#workspaces',
    'test:processes',
  ],
  'platform.restore-agents-continue': [
    'Running agents continue after a restore of an older backup and handle each message once.',
    'docs/decisions/0123-commands-of-the-platform.md#restore',
    'test:processes',
  ],
  'seeds.published-pages-work': [
    'The calls of the published pages about remote agents work as printed, except for secrets and plugins.',
    'docs/contract/compatibility.md#remote-workspaces-guide; docs/contract/compatibility.md#register-tutorial',
  ],
  'snippets.run': [
    'The curl, Python and TypeScript samples of a new workspace work as they are printed.',
    'docs/contract/presence.md#create',
  ],
});
