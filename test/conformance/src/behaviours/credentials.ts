import { behaviours } from './behaviour.ts';

/** Tokens, sessions, modes, and who a caller is. */
export const CREDENTIALS = behaviours({
  'tokens.shape': [
    'A token is 43 characters of base64url and is different each time.',
    'docs/contract/authentication.md#tokens; docs/decisions/0004-tokens.md',
  ],
  'tokens.shown-once': [
    'The list of tokens shows an eight-character prefix and times, never a token.',
    'docs/contract/authentication.md#tokens; docs/decisions/0004-tokens.md',
  ],
  'tokens.only-a-hash-is-stored': [
    'Neither a token nor the operator key is in the files of the database.',
    'docs/contract/authentication.md#credentials; docs/decisions/0004-tokens.md',
  ],
  'tokens.rotation': [
    'A workspace mints a second token, uses it, and revokes the first: then only the second works.',
    'docs/contract/authentication.md#tokens',
  ],
  'tokens.revoke-all': [
    'DELETE …/tokens revokes every token and says how many.',
    'docs/contract/authentication.md#tokens; docs/contract/compatibility.md#register-tutorial',
  ],
  'tokens.fifty-at-most': [
    'The 51st live token of a workspace is a 429 token_limit.',
    'docs/contract/authentication.md#tokens; docs/contract/limits.md#counts',
  ],
  'tokens.unknown-is-404': [
    'Revoking a token that is unknown, revoked or another workspace’s is a 404.',
    'docs/contract/authentication.md#tokens',
  ],
  'tokens.listed-newest-first': [
    'Tokens are listed newest first, in pages of limit and offset.',
    'docs/contract/authentication.md#tokens',
  ],
  'tokens.survive-a-restart': [
    'A token works after a restart of the platform.',
    'docs/contract/authentication.md#tokens',
  ],
  'identity.bearer-decides': [
    'A call with only X-Source-Workspace-Id, or no caller header, comes from the workspace of its token.',
    'docs/contract/authentication.md#caller-headers; docs/decisions/0006-caller-identity.md',
  ],
  'identity.headers-must-match': [
    'A caller header that names another workspace than the token is a 403.',
    'docs/contract/authentication.md#caller-headers; docs/decisions/0006-caller-identity.md',
  ],
  'identity.no-credential-is-401': [
    'Every route but the open ones answers 401 in JSON to a caller without a credential.',
    'docs/contract/authentication.md#who-may-call-a-route; docs/decisions/0008-unauthenticated-routes.md',
  ],
  'identity.open-routes': [
    'Health and readiness need no credential.',
    'docs/contract/presence.md#health; docs/decisions/0008-unauthenticated-routes.md',
  ],
  'identity.other-workspace-is-refused': [
    'A token opens none of another workspace’s routes, a relative’s neither.',
    'docs/contract/authentication.md#who-may-call-a-route; docs/contract/compatibility.md#remote-workspaces-guide',
  ],
  'identity.revoked-token-is-refused': [
    'A revoked token opens nothing.',
    'docs/contract/authentication.md#tokens',
  ],
  'identity.no-token-in-the-query': [
    'A token in the query string is not accepted as a credential.',
    'docs/decisions/0008-unauthenticated-routes.md',
  ],
  'identity.operator-opens-workspace-routes': [
    'The operator may read a workspace’s state, feed and tokens.',
    'docs/contract/authentication.md#who-may-call-a-route',
  ],
  'session.cookie': [
    'The operator key is exchanged for an HttpOnly, SameSite=Strict cookie that opens operator routes.',
    'docs/contract/authentication.md#sessions; docs/decisions/0008-unauthenticated-routes.md',
  ],
  'session.ends': [
    'A session that was ended opens nothing.',
    'docs/decisions/0008-unauthenticated-routes.md',
  ],
  'session.wrong-key': [
    'A wrong operator key, or a workspace token, makes no session.',
    'docs/decisions/0008-unauthenticated-routes.md',
  ],
  'session.not-for-foreign-pages': [
    'A session cookie that another site’s page makes the browser send opens nothing.',
    'docs/decisions/0008-unauthenticated-routes.md',
  ],
  'modes.production-fails-closed': [
    'Production refuses to start without a long enough ADMIN_TOKEN and SECRETS_ENCRYPTION_KEY, naming each problem.',
    'docs/decisions/0002-two-modes.md; docs/contract/authentication.md#production-mode',
  ],
  'modes.dev-needs-no-credential-here': [
    'In dev mode a caller on this machine without a credential is the operator.',
    'docs/contract/authentication.md#dev-mode; docs/decisions/0002-two-modes.md',
  ],
  'modes.dev-is-closed-to-others': [
    'In dev mode a foreign Host, a header of a proxy or tunnel, a caller header, or a foreign page is not the operator.',
    'docs/decisions/0002-two-modes.md',
  ],
  'modes.dev-is-closed-to-http-1-0': [
    'In dev mode a request of HTTP/1.0 without a credential is not the operator.',
    'docs/contract/authentication.md#dev-mode; docs/decisions/0048-logs-by-default.md',
  ],
  'modes.dev-has-no-public-url': [
    'In dev mode a public URL that is not of this machine is an error at the start.',
    'docs/contract/authentication.md#dev-mode; docs/decisions/0048-logs-by-default.md',
  ],
  'modes.dev-wrong-bearer-is-not-nobody': [
    'In dev mode a bearer that is wrong is a 401, not the operator.',
    'docs/contract/authentication.md#credentials; docs/decisions/0002-two-modes.md',
  ],
  'modes.dev-has-an-operator-key': [
    'In dev mode the operator key is accepted as well.',
    'docs/decisions/0002-two-modes.md',
  ],
  'modes.dev-listens-on-loopback-only': [
    'In dev mode another host than a loopback one is an error.',
    'docs/decisions/0002-two-modes.md',
  ],
  'modes.dev-allows-private-agents': [
    'In dev mode agents may be on loopback and private addresses, never on link-local ones.',
    'docs/decisions/0002-two-modes.md',
  ],
  'modes.production-allows-named-networks': [
    'In production only the named private networks are allowed, and link-local addresses never.',
    'docs/decisions/0002-two-modes.md',
  ],
  'modes.org-missing-ends-the-start': [
    'An agent whose requests do not name the organisation, or name another one, is not started: the error says which option to set.',
    'docs/contract/authentication.md#organisation; docs/decisions/0027-origin-and-organisation.md',
  ],
  'modes.org-guard': [
    'With an organisation set, a request without its id or with another one is a 404 in JSON.',
    'docs/contract/authentication.md#organisation; docs/decisions/0027-origin-and-organisation.md',
  ],
});
