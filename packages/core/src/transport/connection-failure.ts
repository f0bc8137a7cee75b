import { ConnectionError, type Delivered } from '../errors/connection-error.ts';
import { isError } from '../errors/is-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { proxyFailureIn, proxyStatus } from '../errors/proxy-failure.ts';
import { type PlatformProxy, PROXY_OPTION } from '../settings/platform-proxy.ts';

export type ProxyName = Pick<PlatformProxy, 'host' | 'setting'>;

const REFUSED = 'No server is listening: check platformUrl, and that the platform is running.';
const NOT_HTTP = 'The server does not use HTTP: check scheme and port of platformUrl.';
const NOT_TLS =
  'The server does not use TLS at this port: write http: in platformUrl, or the port that has TLS.';
/** What OpenSSL reports, by version, when the other side answers in plain text or with a version of TLS that it cannot use. */
const TLS_MISMATCH = new Set([
  'EPROTO',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_UNSUPPORTED_PROTOCOL',
]);
const BAD_CERTIFICATE =
  'The server certificate is not trusted: correct it, or add its authority with NODE_EXTRA_CA_CERTS.';
const INSPECTED = ' A proxy that inspects TLS has an authority of its own.';
const CLOSED =
  'The server closed the connection: check scheme and port of platformUrl if this happens each time.';

const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: REFUSED,
  ENOTFOUND: 'The host name does not exist: check platformUrl and DNS.',
  EAI_AGAIN: 'The host name cannot be resolved at the moment: check DNS and the network.',
  UND_ERR_CONNECT_TIMEOUT: 'The host does not respond: check the address, firewalls and proxies.',
  ECONNRESET: CLOSED,
  UND_ERR_SOCKET: CLOSED,
};

/**
 * Creates the error for a failed connection. It is not retryable if the certificate is not trusted, the server does
 * not use HTTP, or the proxy does not accept the credentials.
 */
export function connectionFailure(
  cause: Error,
  origin: string,
  delivered: Delivered,
  proxy?: ProxyName | null,
): MoleculeError {
  if (cause instanceof MoleculeError) return cause;
  const ofProxy = proxy ? proxyFailureIn(cause) : undefined;
  const code = codeOf(ofProxy ?? cause);
  if (code === 'UND_ERR_CLOSED' || code === 'UND_ERR_DESTROYED') {
    return clientClosed(cause);
  }
  if (code === 'UND_ERR_INVALID_ARG') {
    return new MoleculeError(`The request cannot be sent: ${cause.message}`, {
      code: 'invalid_argument',
      cause,
    });
  }
  const isBadCertificate = /CERT|^ERR_TLS|SELF_SIGNED|UNABLE_TO_/.test(code);
  const isNotHttp = cause.name === 'HTTPParserError' || code.startsWith('HPE_') || TLS_MISMATCH.has(code);
  const problem = { code, isBadCertificate, isNotHttp };
  const hint =
    proxy && ofProxy ? hintOfProxy(proxy, origin, problem) : hintOf(problem, proxy ? INSPECTED : '');
  const status = proxyStatus(code);
  const shown = status === undefined ? code : `the proxy responded with ${status}`;
  const through = proxy ? ` through ${nameOfProxy(proxy)}` : '';
  return new ConnectionError(`The connection to ${origin}${through} failed${shown && ` (${shown})`}.`, {
    origin,
    delivered,
    isRetryable: !isBadCertificate && !isNotHttp && status !== 407,
    hint,
    cause,
  });
}

/** The error of a request after the client was closed. */
export function clientClosed(cause?: Error): MoleculeError {
  return new MoleculeError('The client was closed.', { code: 'client_closed', cause });
}

interface Problem {
  readonly code: string;
  readonly isBadCertificate: boolean;
  readonly isNotHttp: boolean;
}

/** Such as "the proxy of HTTPS_PROXY (proxy.internal:3128)". */
export function nameOfProxy({ setting, host }: ProxyName): string {
  return setting === PROXY_OPTION ? `the proxy ${host}` : `the proxy of ${setting} (${host})`;
}

function hintOf({ code, isBadCertificate, isNotHttp }: Problem, ofProxies: string): string | undefined {
  if (isBadCertificate) return BAD_CERTIFICATE + ofProxies;
  if (TLS_MISMATCH.has(code)) return NOT_TLS;
  return isNotHttp ? NOT_HTTP : HINTS[code];
}

function hintOfProxy({ setting, host }: ProxyName, origin: string, problem: Problem): string {
  const exempt =
    setting === PROXY_OPTION
      ? 'Set `proxy: false` if the platform needs no proxy.'
      : `Add ${new URL(origin).hostname} to NO_PROXY if the platform needs no proxy.`;
  const status = proxyStatus(problem.code);
  if (status === 407) {
    return `The proxy accepts no request without credentials of its own: set user name and password in the URL of ${setting}, percent-encoded. Only Basic is supported.`;
  }
  if (status !== undefined && status >= 500) {
    return `The proxy does not reach the platform: check platformUrl. ${exempt}`;
  }
  if (status !== undefined) {
    return `The rules of the proxy do not allow CONNECT to this host and port. ${exempt}`;
  }
  if (problem.isBadCertificate) {
    return `The certificate of the proxy is not trusted: add its authority with NODE_EXTRA_CA_CERTS.`;
  }
  if (problem.isNotHttp)
    return `What listens at ${host} is not an HTTP proxy: check scheme and port in ${setting}.`;
  return `The proxy at ${host} cannot be reached, or closed the connection: check ${setting} and the network. ${exempt}`;
}

function codeOf(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code;
  const [first] = 'errors' in error && Array.isArray(error.errors) ? error.errors : [];
  return isError(first) ? codeOf(first) : '';
}
