import { ConfigurationError } from '../errors/molecule-error.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The only place in this package that reads the environment. */
export function processEnvironment(): Environment {
  return process.env;
}

const TLS_VARIABLES = [
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
];

/** The variables that decide which certificates Node trusts. */
export function tlsEnvironment(): Environment {
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
  env: Environment,
): string | undefined {
  if (value !== undefined) return checkText(option, value).trim() || undefined;
  const texts = ENVIRONMENT_VARIABLES[option].map((variable) => env[variable]?.trim());
  return texts.find(Boolean);
}

/** Where {@link readOption} finds a value, for people: `the option authToken`; `null` where there is none. */
export function originOf(
  option: EnvironmentOption,
  value: string | undefined,
  env: Environment,
): string | null {
  if (value !== undefined) return value.trim() === '' ? null : `the option ${option}`;
  const variable = ENVIRONMENT_VARIABLES[option].find((name) => env[name]?.trim());
  return variable === undefined ? null : `the variable ${variable}`;
}

/** The value may be a secret: an error names its type only. */
function checkText(option: EnvironmentOption, value: unknown): string {
  if (typeof value === 'string') return value;
  const type = value === null ? 'null' : `a value of type ${typeof value}`;
  throw new ConfigurationError(`${nameOption(option)} must be a text, got ${type}.`, {
    hint: `Leave ${option} out to use the environment variable or the default.`,
  });
}

/** The name of a setting in messages, such as "platformUrl (or MOLECULE_PLATFORM_URL, PLATFORM_URL)". */
export function nameOption(option: EnvironmentOption): string {
  return `${option} (or ${ENVIRONMENT_VARIABLES[option].join(', ')})`;
}
