import { behaviours } from './behaviour.ts';

/** Creating a workspace and claiming it. */
export const REGISTRATION = behaviours({
  'registry.create.without-url-awaits-agent': [
    'A create without a URL answers 201 awaiting_agent with the first token in connection.',
    'docs/contract/presence.md#create; docs/decisions/0003-first-registration.md',
  ],
  'registry.create.with-url-awaits-agent': [
    'A create with a URL mints a first token as well and answers awaiting_agent until the first register.',
    'docs/contract/presence.md#create; docs/decisions/0003-first-registration.md',
  ],
  'registry.create.either-spelling-of-external': [
    'Both external: true and runtime "external" create a remote workspace of runtime external.',
    'docs/contract/compatibility.md#request-aliases; docs/contract/presence.md#create',
  ],
  'registry.create.operator-only': [
    'A create without a credential, or with a workspace token, is a 401 and creates nothing.',
    'docs/contract/presence.md#create; docs/decisions/0008-unauthenticated-routes.md',
  ],
  'registry.create.default-tier-is-three': [
    'A create without a tier gets tier 3, and a given tier is kept.',
    'docs/contract/presence.md#create',
  ],
  'registry.create.refuses-bad-fields': [
    'A create without a name, with markup or a line break in it, or with an unknown parent is a 400.',
    'docs/contract/presence.md#create; docs/contract/limits.md#fields',
  ],
  'registry.create.names-may-repeat': [
    'Two creates with the same name make two workspaces.',
    'docs/contract/presence.md#create',
  ],
  'registry.register.own-token-mints-none': [
    'A register with the first token answers no second one and brings the workspace online.',
    'docs/contract/presence.md#register; docs/decisions/0003-first-registration.md',
  ],
  'registry.register.either-id-name': [
    'A register may name its workspace by id, by workspace_id or by both.',
    'docs/contract/compatibility.md#request-aliases; docs/decisions/0001-published-pages-work.md',
  ],
  'registry.register.differing-ids-are-refused': [
    'A register whose id and workspace_id differ is a 400.',
    'docs/contract/compatibility.md#request-aliases',
  ],
  'registry.register.second-needs-own-bearer': [
    'Once claimed, a register without a bearer or with another workspace’s is a 401 and leaves the URL alone.',
    'docs/contract/authentication.md#who-may-register',
  ],
  'registry.register.unknown-id-creates-nothing': [
    'A register of an id that no operator created is a 401 and creates no workspace.',
    'docs/contract/authentication.md#who-may-register; docs/decisions/0003-first-registration.md',
  ],
  'registry.register.first-claim-needs-no-credential': [
    'Inside the claim window the first register of an unclaimed workspace mints a token and kills the unused one.',
    'docs/contract/authentication.md#who-may-register; docs/decisions/0003-first-registration.md',
  ],
  'registry.register.claim-window-closes': [
    'Fifteen minutes after its creation an unclaimed workspace can no longer be claimed without a credential.',
    'docs/decisions/0003-first-registration.md',
  ],
  'registry.register.a-used-token-claims': [
    'A workspace whose first token was used is claimed: a register without a credential is a 401.',
    'docs/decisions/0003-first-registration.md',
  ],
  'registry.register.concurrent-claims-mint-one': [
    'Of many first registers at the same time exactly one is answered a token.',
    'docs/contract/authentication.md#first-claim; docs/decisions/0003-first-registration.md',
  ],
  'registry.register.operator-first-register-mints': [
    'The first register by the operator answers auth_token and revokes the unused first token.',
    'docs/contract/compatibility.md#register-tutorial; docs/decisions/0003-first-registration.md',
  ],
  'registry.register.operator-repeat-mints-none': [
    'A later register by the operator answers no token while a live one is left.',
    'docs/decisions/0003-first-registration.md',
  ],
  'registry.register.operator-replaces-lost-tokens': [
    'A register by the operator mints when no live token is left.',
    'docs/contract/compatibility.md#register-tutorial; docs/decisions/0003-first-registration.md',
  ],
  'registry.register.operator-rotates': [
    'A register by the operator with rotate: true mints although a live token is left.',
    'docs/decisions/0003-first-registration.md',
  ],
  'registry.register.refusals-are-alike': [
    'Whatever the reason, a register that is refused for its credential is one and the same 401.',
    'docs/decisions/0003-first-registration.md',
  ],
  'registry.register.no-reopening': [
    'Revoking the last token does not open the workspace to a register without a credential.',
    'docs/contract/authentication.md#first-claim; docs/decisions/0003-first-registration.md',
  ],
  'registry.register.answer-superset': [
    'A register answers status, id, workspace_id, delivery_mode, org_id and expires_at null.',
    'docs/contract/presence.md#register; docs/contract/compatibility.md#register-tutorial',
  ],
  'registry.register.missing-url-means-poll': [
    'A missing, empty or remote: URL means poll delivery and is stored as none.',
    'docs/contract/presence.md#delivery-mode',
  ],
  'registry.register.push-needs-a-url': [
    'A register that asks for push delivery without a URL is a 400.',
    'docs/contract/presence.md#delivery-mode',
  ],
  'registry.register.unresolvable-host-is-stored': [
    'A host name that does not resolve is accepted at create, register and patch, and kept as given.',
    'docs/decisions/0001-published-pages-work.md',
  ],
  'registry.update-card.replaces-the-card': [
    'update-card replaces the whole card, and takes id for workspace_id.',
    'docs/contract/presence.md#agent-card; docs/contract/compatibility.md#request-aliases',
  ],
  'registry.heartbeat.card-is-updated': [
    'A heartbeat with another agent card replaces it.',
    'docs/contract/presence.md#agent-card; docs/contract/compatibility.md#remote-workspaces-guide',
  ],
});
