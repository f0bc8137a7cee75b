import { ConnectionError, type Delivered } from '../errors/connection-error.ts';
import { isError } from '../errors/is-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';

const REFUSED = 'No server is listening: check platformUrl, and that the platform is running.';
const NOT_HTTP = 'The server does not use HTTP: check scheme and port of platformUrl.';
const BAD_CERTIFICATE =
  'The server certificate is not trusted: correct it, or add its authority with NODE_EXTRA_CA_CERTS.';

const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: REFUSED,
  ENOTFOUND: 'The host name does not exist: check platformUrl and DNS.',
  EAI_AGAIN: 'The host name cannot be resolved at the moment: check DNS and the network.',
  UND_ERR_CONNECT_TIMEOUT: 'The host does not respond: check the address, firewalls and proxies.',
  ECONNRESET: 'The server closed the connection.',
  UND_ERR_SOCKET: 'The server closed the connection.',
};

/**
 * Creates the error for a failed connection. It is not retryable if the certificate is not trusted or the server does
 * not use HTTP.
 */
export function connectionFailure(cause: Error, origin: string, delivered: Delivered): MoleculeError {
  if (cause instanceof MoleculeError) return cause;
  const code = codeOf(cause);
  if (code === 'UND_ERR_CLOSED' || code === 'UND_ERR_DESTROYED') {
    return new MoleculeError('The client was closed.', { code: 'client_closed', cause });
  }
  if (code === 'UND_ERR_INVALID_ARG') {
    return new MoleculeError(`The request cannot be sent: ${cause.message}`, {
      code: 'invalid_argument',
      cause,
    });
  }
  const isBadCertificate = /CERT|^ERR_TLS|SELF_SIGNED|UNABLE_TO_/.test(code);
  const isNotHttp =
    cause.name === 'HTTPParserError' ||
    code.startsWith('HPE_') ||
    code === 'EPROTO' ||
    code === 'ERR_SSL_WRONG_VERSION_NUMBER';
  return new ConnectionError(`The connection to ${origin} failed${code === '' ? '' : ` (${code})`}.`, {
    origin,
    delivered,
    isRetryable: !isBadCertificate && !isNotHttp,
    hint: isBadCertificate ? BAD_CERTIFICATE : isNotHttp ? NOT_HTTP : HINTS[code],
    cause,
  });
}

function codeOf(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code;
  const [first] = 'errors' in error && Array.isArray(error.errors) ? error.errors : [];
  return isError(first) ? codeOf(first) : '';
}
