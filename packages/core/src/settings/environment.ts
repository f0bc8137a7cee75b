import type { Environment } from './node-types.ts';

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
