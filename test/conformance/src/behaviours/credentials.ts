import { behaviours } from './behaviour.ts';

/** Tokens, sessions, modes, and who a caller is. */
export const CREDENTIALS = behaviours({
  'tokens.shape': [
    'A token is 43 characters of base64url and is different each time.',
    'decision 4; wire contract 1.3',
  ],
  'tokens.shown-once': [
    'The list of tokens shows an eight-character prefix and times, never a token.',
    'decision 4; seed 002, security',
  ],
  'tokens.only-a-hash-is-stored': [
    'Neither a token nor the operator key is in the files of the database.',
    'decision 4; seed 002, security',
  ],
  'tokens.rotation': [
    'A workspace mints a second token, uses it, and revokes the first: then only the second works.',
    'wire contract 3.8',
  ],
  'tokens.revoke-all': ['DELETE …/tokens revokes every token and says how many.', 'seed 001, revoking'],
  'tokens.fifty-at-most': [
    'The 51st live token of a workspace is a 429 token_limit.',
    'wire contract 1.6 and 3.8',
  ],
  'tokens.unknown-is-404': [
    'Revoking a token that is unknown, revoked or another workspace’s is a 404.',
    'wire contract 3.8',
  ],
  'tokens.listed-newest-first': [
    'Tokens are listed newest first, in pages of limit and offset.',
    'wire contract 3.8',
  ],
  'tokens.survive-a-restart': ['A token works after a restart of the platform.', 'wire contract 1.3'],
  'identity.bearer-decides': [
    'A call with only X-Source-Workspace-Id, or no caller header, comes from the workspace of its token.',
    'decision 6; wire contract 8 row 14, 10.3 vector 18',
  ],
  'identity.headers-must-match': [
    'A caller header that names another workspace than the token is a 403.',
    'decision 6; wire contract 10.3 vector 18',
  ],
  'identity.no-credential-is-401': [
    'Every route but the open ones answers 401 in JSON to a caller without a credential.',
    'decision 8; wire contract 10.3 vector 18',
  ],
  'identity.open-routes': [
    'Health and readiness need no credential.',
    'decision 8; wire contract 9 weakness 40',
  ],
  'identity.other-workspace-is-refused': [
    'A token opens none of another workspace’s routes, a relative’s neither.',
    'wire contract 1.3.1; seed 000, key properties',
  ],
  'identity.revoked-token-is-refused': ['A revoked token opens nothing.', 'wire contract 1.3'],
  'identity.no-token-in-the-query': ['A token in the query string is no credential.', 'decision 8'],
  'identity.operator-opens-workspace-routes': [
    'The operator may read a workspace’s state, feed and tokens.',
    'wire contract 9 weakness 9',
  ],
  'session.cookie': [
    'The operator key is exchanged for an HttpOnly, SameSite=Strict cookie that opens operator routes.',
    'decision 8; seed 000, prerequisites',
  ],
  'session.ends': ['A session that was ended opens nothing.', 'decision 8'],
  'session.wrong-key': ['A wrong operator key, or a workspace token, makes no session.', 'decision 8'],
  'session.not-for-foreign-pages': [
    'A session cookie that another site’s page makes the browser send opens nothing.',
    'decision 8',
  ],
  'modes.production-fails-closed': [
    'Production refuses to start without ADMIN_TOKEN or SECRETS_ENCRYPTION_KEY, naming what is missing.',
    'decision 2',
  ],
  'modes.dev-needs-no-credential-here': [
    'In dev mode a caller on this machine without a credential is the operator.',
    'decision 2; seed 002',
  ],
  'modes.dev-is-closed-to-others': [
    'In dev mode a foreign Host, a tunnel, a caller header, or a foreign page is not the operator.',
    'decision 2',
  ],
  'modes.dev-wrong-bearer-is-not-nobody': [
    'In dev mode a bearer that is wrong is a 401, not the operator.',
    'decision 2; wire contract 1.3.1',
  ],
  'modes.dev-has-an-operator-key': ['In dev mode the operator key is accepted as well.', 'decision 2'],
  'modes.dev-listens-on-loopback-only': [
    'In dev mode another host than a loopback one is an error.',
    'decision 2',
  ],
  'modes.dev-allows-private-agents': [
    'In dev mode agents may be on loopback and private addresses, never on link-local ones.',
    'decision 2',
  ],
  'modes.production-allows-named-networks': [
    'In production only the named private networks are allowed, and link-local addresses never.',
    'decision 2',
  ],
  'modes.org-guard': [
    'With an organisation set, a request without its id or with another one is a 404 in JSON.',
    'decision 27; wire contract 1.4',
  ],
});
