/** Variables of an application, each with a value by which a client that read it would fail or go elsewhere. */
export function foreignEnvironment(): Readonly<Record<string, string>> {
  return {
    MOLECULE_PLATFORM_URL: 'http://127.0.0.1:9',
    PLATFORM_URL: 'http://127.0.0.1:9',
    MOLECULE_WORKSPACE_ID: 'an application',
    WORKSPACE_ID: 'an application',
    MOLECULE_WORKSPACE_TOKEN: 'not a token',
    MOLECULE_ORG_ID: 'an\norganisation',
    ORG_ID: 'an\norganisation',
    MOLECULE_ORIGIN: 'an\norigin',
    MOLECULE_REPORTED_URL: 'http://127.0.0.1:9/a2a',
    MOLECULE_AGENT_NAME: 'an application',
    MOLECULE_STATE_DIR: '/dev/null/state',
    MOLECULE_ADMIN_TOKEN: 'not a token',
    MOLECULE_ALLOW_PEER_NETWORKS: 'not a network',
    MOLECULE_OPERATOR_KEY: 'not a key',
    ADMIN_TOKEN: 'not a key',
  };
}
