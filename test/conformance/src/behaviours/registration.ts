import { behaviours } from './behaviour.ts';

/** Creating a workspace and claiming it. */
export const REGISTRATION = behaviours({
  'registry.create.without-url-awaits-agent': [
    'A create without a URL answers 201 awaiting_agent with the first token in connection.',
    'wire contract 3.1, 10.3 vector 1; decision 3',
  ],
  'registry.create.with-url-awaits-agent': [
    'A create with a URL mints a first token as well and answers awaiting_agent until the first register.',
    'decisions 1 and 3',
  ],
  'registry.create.either-spelling-of-external': [
    'Both external: true and runtime "external" create a remote workspace of runtime external.',
    'seeds 000, 001 and 002; wire contract 3.1',
  ],
  'registry.create.operator-only': [
    'A create without a credential, or with a workspace token, is a 401 and creates nothing.',
    'wire contract 3.1; decision 8',
  ],
  'registry.create.default-tier-is-three': [
    'A create without a tier gets tier 3, and a given tier is kept.',
    'wire contract 8 row 31',
  ],
  'registry.create.refuses-bad-fields': [
    'A create without a name, with markup or a line break in it, or with an unknown parent is a 400.',
    'wire contract 1.6 and 3.1',
  ],
  'registry.create.names-may-repeat': [
    'Two creates with the same name make two workspaces.',
    'wire contract 3.1',
  ],
  'registry.register.own-token-mints-none': [
    'A register with the first token answers no second one and brings the workspace online.',
    'wire contract 10.3 vector 1; decision 3',
  ],
  'registry.register.either-id-name': [
    'A register may name its workspace by id, by workspace_id or by both.',
    'wire contract 8 row 1, 10.3 vector 2; decision 1',
  ],
  'registry.register.differing-ids-are-refused': [
    'A register whose id and workspace_id differ is a 400.',
    'wire contract 8 row 1',
  ],
  'registry.register.second-needs-own-bearer': [
    'Once claimed, a register without a bearer or with another workspace’s is a 401 and leaves the URL alone.',
    'wire contract 10.3 vector 4',
  ],
  'registry.register.unknown-id-creates-nothing': [
    'A register of an id that no operator created is a 401 and creates no workspace.',
    'wire contract 10.3 vector 5; decision 3',
  ],
  'registry.register.first-claim-needs-no-credential': [
    'Inside the claim window the first register of an unclaimed workspace mints a token and kills the unused one.',
    'decision 3; seed 002 step 2',
  ],
  'registry.register.claim-window-closes': [
    'Fifteen minutes after its creation an unclaimed workspace can no longer be claimed without a credential.',
    'decision 3',
  ],
  'registry.register.a-used-token-claims': [
    'A workspace whose first token was used is claimed: a register without a credential is a 401.',
    'decision 3',
  ],
  'registry.register.concurrent-claims-mint-one': [
    'Of many first registers at the same time exactly one is answered a token.',
    'decision 3; wire contract 9 weakness 4',
  ],
  'registry.register.operator-first-register-mints': [
    'The first register by the operator answers auth_token and revokes the unused first token.',
    'seed 001 step 2; decision 3',
  ],
  'registry.register.operator-repeat-mints-none': [
    'A later register by the operator answers no token while a live one is left.',
    'decision 3',
  ],
  'registry.register.operator-replaces-lost-tokens': [
    'A register by the operator mints when no live token is left.',
    'decision 3; seed 001',
  ],
  'registry.register.operator-rotates': [
    'A register by the operator with rotate: true mints although a live token is left.',
    'decision 3',
  ],
  'registry.register.refusals-are-alike': [
    'Whatever the reason, a register that is refused for its credential is one and the same 401.',
    'decision 3',
  ],
  'registry.register.no-reopening': [
    'Revoking the last token does not open the workspace to a register without a credential.',
    'wire contract 9 weakness 4; decision 3',
  ],
  'registry.register.answer-superset': [
    'A register answers status, id, workspace_id, delivery_mode, org_id and expires_at null.',
    'wire contract 8 row 3; seed 001 step 2',
  ],
  'registry.register.missing-url-means-poll': [
    'A missing, empty or remote: URL means poll delivery and is stored as none.',
    'wire contract 8 row 8',
  ],
  'registry.register.push-needs-a-url': [
    'A register that asks for push delivery without a URL is a 400.',
    'wire contract 3.10',
  ],
  'registry.register.unresolvable-host-is-stored': [
    'A host name that does not resolve is accepted at create, register and patch, and kept as given.',
    'decision 1',
  ],
  'registry.update-card.replaces-the-card': [
    'update-card replaces the whole card, and takes id for workspace_id.',
    'wire contract 3.12, 8 row 1',
  ],
  'registry.heartbeat.card-is-updated': [
    'A heartbeat with another agent card replaces it.',
    'seed 000, constructor; wire contract 8 row 34',
  ],
});
