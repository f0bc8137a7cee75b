import { behaviours } from './behaviour.ts';

export const CREDENTIALS = behaviours({
  'tokens.shape': [
    'A token is a unique text of 43 base64url characters.',
    'docs/contract/authentication.md#tokens; docs/decisions/0004-tokens.md',
  ],
  'tokens.until-revoked': [
    'A token works until it is revoked, also over restarts of the platform.',
    'docs/contract/authentication.md#tokens',
  ],
  'tokens.unknown-is-404': [
    'Revoking a token that is unknown or belongs to another workspace is a 404.',
    'docs/contract/authentication.md#tokens',
  ],
  'tokens.fifty-at-most': [
    'A workspace can have at most 50 live tokens.',
    'docs/contract/authentication.md#tokens; docs/contract/limits.md#counts',
  ],
  'tokens.list-shows-prefixes': [
    'The list of tokens, newest first, shows only the first eight characters of each.',
    'docs/contract/authentication.md#tokens; docs/decisions/0004-tokens.md',
  ],
  'tokens.only-a-hash-is-stored': [
    'The database contains no token and no operator key in plain text.',
    'docs/contract/authentication.md#credentials; docs/decisions/0004-tokens.md',
  ],
  'identity.bearer-decides': [
    'A request comes from the workspace of its token, and a contrary caller header is a 403.',
    'docs/contract/authentication.md#caller-headers; docs/decisions/0006-caller-identity.md',
  ],
  'identity.no-credential-is-401': [
    'Only health, readiness, public keys, sessions and first registration work without a credential in a header.',
    'docs/contract/authentication.md#who-may-call-a-route; docs/decisions/0008-unauthenticated-routes.md',
  ],
  'identity.own-routes-only': [
    'The private routes of a workspace are open only to it and to operators.',
    'docs/contract/authentication.md#who-may-call-a-route',
  ],
  'session.cookie': [
    'Only the operator key opens a session, whose cookie works until the session is ended.',
    'docs/contract/authentication.md#sessions; docs/decisions/0008-unauthenticated-routes.md',
  ],
  'session.not-for-foreign-pages': [
    'A session cookie is refused in requests from pages of other sites.',
    'docs/decisions/0008-unauthenticated-routes.md',
  ],
  'modes.production-fails-closed': [
    'Production starts only with a valid ADMIN_TOKEN and SECRETS_ENCRYPTION_KEY.',
    'docs/decisions/0002-two-modes.md; docs/contract/authentication.md#production-mode',
  ],
  'modes.dev-is-local-only': [
    'Dev mode starts only with a loopback host and public URL.',
    'docs/contract/authentication.md#dev-mode; docs/decisions/0002-two-modes.md',
  ],
  'modes.dev-needs-no-credential-here': [
    'In dev mode, a request from this machine without a credential counts as the operator’s.',
    'docs/contract/authentication.md#dev-mode; docs/decisions/0002-two-modes.md',
  ],
  'modes.dev-is-closed-to-others': [
    'In dev mode, a request with signs of a proxy, a foreign page or an agent needs a credential.',
    'docs/contract/authentication.md#dev-mode; docs/decisions/0002-two-modes.md',
  ],
  'modes.dev-checks-credentials': [
    'In dev mode, a credential that is sent is checked as in production.',
    'docs/contract/authentication.md#credentials; docs/decisions/0002-two-modes.md',
  ],
  'modes.org-guard': [
    'With an organisation set, every request but health checks must name it.',
    'docs/contract/authentication.md#organisation; docs/decisions/0027-origin-and-organisation.md',
  ],
  'modes.org-missing-ends-the-start': [
    'An agent without the right organisation fails to start and names the option to set.',
    'docs/contract/authentication.md#organisation; docs/decisions/0027-origin-and-organisation.md',
  ],
  'urls.production-refuses': [
    'In production, an agent URL must be http or https with a public or allowed address.',
    'docs/contract/presence.md#agent-addresses; docs/decisions/0002-two-modes.md',
  ],
  'urls.private-only-if-allowed': [
    'Private agent addresses are allowed only in dev mode and in networks that the operator names.',
    'docs/decisions/0002-two-modes.md',
  ],
  'urls.checked-at-connect': [
    'The platform checks the address of a host name when it connects, not when it stores the URL.',
    'docs/contract/presence.md#agent-addresses; docs/decisions/0001-published-pages-work.md',
  ],
  'urls.redirects-are-not-followed': [
    'The platform follows no redirect of an agent.',
    'docs/contract/presence.md#agent-addresses; docs/contract/messages.md#push-delivery',
  ],
  'probe.reachable': [
    'An agent counts as reachable only if it returns the id of the token in the probe.',
    'docs/contract/presence.md#probe; docs/decisions/0051-peer-tokens.md',
  ],
  'probe.reasons': [
    'A failed probe returns one of the documented reasons within eight seconds.',
    'docs/contract/presence.md#probe',
  ],
  'probe.rate': [
    'A workspace can be probed six times a minute.',
    'docs/contract/presence.md#probe; docs/contract/limits.md#rates',
  ],
  'peer-tokens.name-the-caller': [
    'A peer token names the true caller of a push or direct call, to one agent only.',
    'docs/contract/messages.md#push-delivery; docs/decisions/0009-peer-tokens.md',
  ],
  'peer-tokens.discover': [
    'Discovering a peer that can be called directly returns a token, valid for one to five minutes.',
    'docs/contract/authentication.md#peer-tokens; docs/decisions/0051-peer-tokens.md',
  ],
  'peer-tokens.jwks': [
    'The public keys of peer tokens are EdDSA and may be cached for five minutes.',
    'docs/contract/authentication.md#peer-tokens; docs/contract/authentication.md#keys-of-peer-tokens',
  ],
  'peer-tokens.rotation-under-load': [
    'Agents accept every push and direct call while the keys rotate.',
    'docs/contract/authentication.md#keys-of-peer-tokens; docs/decisions/0051-peer-tokens.md',
  ],
  'peer-tokens.restart': [
    'A restart keeps the issuer of peer tokens and their keys, which production encrypts on disk.',
    'docs/contract/authentication.md#keys-of-peer-tokens; docs/contract/presence.md#register',
  ],
});
