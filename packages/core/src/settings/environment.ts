import { ConfigurationError } from '../errors/molecule-error.ts';
import { describe } from './checked-values.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const HEADER_VALUE = /^[\x20-\x7e]+$/;

/** The only place in this package that reads the environment. */
export function processEnvironment(): NodeJS.ProcessEnv {
  return process.env;
}

const TLS_VARIABLES = [
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];

/** The variables that decide which certificates Node trusts. */
export function tlsEnvironment(): NodeJS.ProcessEnv {
  const env = processEnvironment();
  return Object.fromEntries(
    TLS_VARIABLES.filter((name) => env[name] !== undefined).map((name) => [name, env[name]]),
  );
}

/** The environment variables of each option, in order of precedence. Blank values count as unset. */
export const ENVIRONMENT_VARIABLES = {
  platformUrl: ['MOLECULE_PLATFORM_URL', 'PLATFORM_URL'],
  workspaceId: ['MOLECULE_WORKSPACE_ID', 'WORKSPACE_ID'],
  authToken: ['MOLECULE_WORKSPACE_TOKEN'],
  orgId: ['MOLECULE_ORG_ID', 'ORG_ID'],
  origin: ['MOLECULE_ORIGIN'],
  reportedUrl: ['MOLECULE_REPORTED_URL'],
  agentName: ['MOLECULE_AGENT_NAME'],
  stateDirectory: ['MOLECULE_STATE_DIR'],
  adminToken: ['MOLECULE_ADMIN_TOKEN'],
  allowPeerNetworks: ['MOLECULE_ALLOW_PEER_NETWORKS'],
  operatorKey: ['MOLECULE_OPERATOR_KEY', 'ADMIN_TOKEN'],
} as const;

export type EnvironmentOption = keyof typeof ENVIRONMENT_VARIABLES;

/** The option's value, else that of the first variable that is set and not blank; trimmed, `undefined` for none and for a blank option. */
export function readOption(
  option: EnvironmentOption,
  value: string | undefined,
  env: NodeJS.ProcessEnv,
): string | undefined {
  // The value may be a secret: an error names its type only.
  if (value !== undefined && typeof value !== 'string') {
    const type = value === null ? 'null' : `a value of type ${typeof value}`;
    const hint = `Leave ${option} out to use the environment variable or the default.`;
    throw wrongSetting(option, `must be a text, got ${type}`, hint);
  }
  if (value !== undefined) return value.trim() || undefined;
  const texts = ENVIRONMENT_VARIABLES[option].map((variable) => env[variable]?.trim());
  return texts.find(Boolean);
}

/** The name of a setting in messages, such as "platformUrl (or MOLECULE_PLATFORM_URL, PLATFORM_URL)". */
export function nameOption(option: EnvironmentOption): string {
  return `${option} (or ${ENVIRONMENT_VARIABLES[option].join(', ')})`;
}

export function wrongSetting(option: EnvironmentOption, problem: string, hint: string): ConfigurationError {
  return new ConfigurationError(`${nameOption(option)} ${problem}.`, { hint });
}

export function isWorkspaceId(text: string): boolean {
  return UUID.test(text);
}

/** Returns the id in lower case. Only UUIDs are accepted, because the id becomes part of paths. */
export function checkWorkspaceId(text: string | undefined): string {
  const missing = 'Set it to the id that POST /workspaces returned';
  if (text === undefined) throw wrongSetting('workspaceId', 'is missing', `${missing}.`);
  if (isWorkspaceId(text)) return text.toLowerCase();
  const hint = isWorkspaceId(text.slice(1, -1))
    ? `Set it without the characters around it, ${text.at(0)} and ${text.at(-1)}.`
    : `${missing}, not to the name of the workspace.`;
  throw wrongSetting('workspaceId', `must be a UUID, got ${describe(text)}`, hint);
}

export function checkPlatformUrl(text: string | undefined): URL {
  if (text !== undefined) return checkHttpUrl(text, 'platformUrl');
  throw wrongSetting('platformUrl', 'is missing', 'For example http://localhost:8080.');
}

/** Accepts http and https URLs without user info. */
export function checkHttpUrl(text: string, option: EnvironmentOption): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw wrongSetting(option, `must be an http or https URL, got ${describe(text)}`, urlHint(text));
  }
  if (url.username === '' && url.password === '') return url;
  const hint = 'Pass the workspace token as authToken, never inside a URL.';
  throw wrongSetting(option, 'must not contain a user name or password', hint);
}

function urlHint(text: string): string {
  if (/^["'`<]/.test(text)) return `Set it without the character ${text.at(0)} around it.`;
  if (/^wss?:/i.test(text))
    return `Write ${/^wss:/i.test(text) ? 'https' : 'http'}: instead of ${text.split(':', 1)[0]}:.`;
  return text.includes('://')
    ? 'Write it as in http://localhost:8080.'
    : 'Add the scheme, as in http://localhost:8080.';
}

/** Accepts printable ASCII only, so that a line break cannot add another header. */
export function checkHeaderValue(text: string | undefined, option: EnvironmentOption): string | undefined {
  if (text === undefined || HEADER_VALUE.test(text)) return text;
  const hint = 'Remove line breaks and characters outside ASCII.';
  throw wrongSetting(option, 'must be printable ASCII without line breaks', hint);
}

/**
 * Reads a credential; `origin` says for people where it was set, such as `the option authToken`. What people copy with it is refused,
 * because the platform would only answer that it is wrong. The error does not contain it.
 */
export function resolveCredential(
  option: EnvironmentOption,
  value: string | undefined,
  env: NodeJS.ProcessEnv,
): { readonly credential: string | null; readonly origin: string | null } {
  const credential = readOption(option, value, env);
  if (credential === undefined) return { credential: null, origin: null };
  for (const [pattern, problem, hint] of CREDENTIAL_MISTAKES) {
    if (pattern.test(credential)) throw wrongSetting(option, problem, hint);
  }
  const variable = ENVIRONMENT_VARIABLES[option].find((name) => env[name]?.trim());
  return { credential, origin: value === undefined ? `the variable ${variable}` : `the option ${option}` };
}

const CREDENTIAL_MISTAKES: readonly (readonly [pattern: RegExp, problem: string, hint: string])[] = [
  [/^(["'`]).*\1$/s, 'has quotes around it', 'Set it without the quotes.'],
  [/^bearer\s/i, 'begins with the word Bearer', 'Set it to the token alone: the client adds the word.'],
  [/^[A-Z_]+TOKEN=/, 'begins with the name of a variable', 'Set it to what follows the sign =.'],
  [
    /[^\x21-\x7e]/,
    'contains white space, a line break or a character outside ASCII',
    'Copy it again: a token is one word.',
  ],
];
