/** Environment variables, as they are passed in. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment of this process. The only place of this package that reads it. */
export function processEnvironment(): Environment {
  return process.env;
}

/** The variables that stand in for an option, in order of preference. Blank values count as unset. */
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
  operatorKey: ['MOLECULE_OPERATOR_KEY', 'ADMIN_TOKEN'],
} as const;

/** Options that an environment variable can stand in for. */
export type EnvironmentOption = keyof typeof ENVIRONMENT_VARIABLES;

/** The option's value, else that of its first variable that is set and not blank; trimmed. */
export function readOption(
  option: EnvironmentOption,
  value: string | undefined,
  env: Environment,
): string | undefined {
  if (value !== undefined) return value;
  for (const variable of ENVIRONMENT_VARIABLES[option]) {
    const text = env[variable]?.trim();
    if (text) return text;
  }
  return undefined;
}

/** How a message names a setting: "platformUrl (or MOLECULE_PLATFORM_URL, PLATFORM_URL)". */
export function nameOption(option: EnvironmentOption): string {
  return `${option} (or ${ENVIRONMENT_VARIABLES[option].join(', ')})`;
}
