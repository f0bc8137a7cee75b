import type { LookupFunction, Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { buildConnector } from 'undici';
import connectorOf from 'undici/lib/core/connect.js';
import errors from 'undici/lib/core/errors.js';
import { AddressRefusedError } from './address-refused-error.ts';
import { canonicalAddress } from './check-address.ts';
import { readHost } from './host-name.ts';
import type { VettedAddress } from './vet-host.ts';

/** Socket options. None of them can change the target or disable certificate checks. */
export interface GuardedConnectOptions {
  /** Time limit for resolving, connecting and the TLS handshake together, in milliseconds; 0 for none. @default 10_000 */
  timeout?: number | undefined;
  /** Offer HTTP/2 to https servers. @default true, as in undici */
  allowH2?: boolean | undefined;
  /** Certificate authorities to trust instead of Node's. */
  ca?: ConnectionOptions['ca'];
  /** Client certificate and key for mutual TLS. */
  cert?: ConnectionOptions['cert'];
  key?: ConnectionOptions['key'];
  /** Try several vetted addresses of a name, alternating IPv4 and IPv6. @default true, as in Node */
  autoSelectFamily?: boolean | undefined;
  /** Time until the next address is tried, in milliseconds. @default as in Node */
  autoSelectFamilyAttemptTimeout?: number | undefined;
}

const DEFAULT_TIMEOUT = 10_000;

/**
 * Creates an undici connector that connects only to addresses returned by `vet`, which it calls once per connection.
 *
 * The socket's lookup function returns only the vetted addresses, so there is no second resolution that could differ (DNS
 * rebinding). Before undici gets the connected socket, its remote address is compared with the vetted ones. The TLS server
 * name, against which the certificate is checked, is the host of the URL, whatever the `Host` header. TLS sessions are not
 * cached, because a cached session skips the certificate check of the next connection.
 */
export function buildGuardedConnector(
  vet: (hostname: string) => Promise<readonly VettedAddress[]>,
  options: GuardedConnectOptions,
): buildConnector.connector {
  return (target, callback) => {
    connectVetted(vet, options, target).then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
    );
  };
}

async function connectVetted(
  vet: (hostname: string) => Promise<readonly VettedAddress[]>,
  options: GuardedConnectOptions,
  target: buildConnector.Options,
): Promise<Socket> {
  const timeout = options.timeout ?? DEFAULT_TIMEOUT;
  const startedAt = performance.now();
  const vetted = await within(timeout, vet(target.hostname), target);
  const left = timeout === 0 ? 0 : Math.max(1, timeout - (performance.now() - startedAt));
  const host = readHost(target.hostname);
  if (host === undefined) throw new AddressRefusedError({ host: 'The host', reason: 'invalid_url' });

  const dial = connectorOf({
    ...transportOptions(options),
    maxCachedSessions: 0,
    timeout: Math.ceil(left),
    lookup: lookupAmong(vetted),
  });
  const socket = await new Promise<Socket>((resolve, reject) => {
    dial(
      {
        hostname: host.host,
        protocol: target.protocol,
        port: target.port,
        localAddress: target.localAddress ?? null,
        ...(target.protocol === 'https:' && host.kind === 'name' ? { servername: host.host } : {}),
      },
      // On failure undici passes only the error, not the `null` that its types declare.
      (error, connected) => (connected ? resolve(connected) : reject(error)),
    );
  });
  return verifyPeer(socket, host.host, vetted);
}

/** Copies known options only, so that untyped callers cannot pass `lookup`, `path` or `host`. */
function transportOptions(options: GuardedConnectOptions): buildConnector.BuildOptions {
  const { allowH2, ca, cert, key, autoSelectFamily, autoSelectFamilyAttemptTimeout } = options;
  return {
    ...(allowH2 === undefined ? {} : { allowH2 }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(autoSelectFamily === undefined ? {} : { autoSelectFamily }),
    ...(autoSelectFamilyAttemptTimeout === undefined ? {} : { autoSelectFamilyAttemptTimeout }),
  };
}

function lookupAmong(vetted: readonly VettedAddress[]): LookupFunction {
  return (hostname, { all, family }, callback) => {
    const usable = vetted.filter(
      (each) => !isFamily(family) || each.family === Number(`${family}`.slice(-1)),
    );
    const [first] = usable;
    if (first === undefined) {
      const error = Object.assign(new Error(`${hostname} has no address of this family.`), {
        code: 'ENOTFOUND',
      });
      callback(error, [], 0);
    } else if (all) {
      callback(null, [...usable]);
    } else {
      callback(null, first.address, first.family);
    }
  };
}

function isFamily(family: number | string | undefined): boolean {
  return family === 4 || family === 6 || family === 'IPv4' || family === 'IPv6';
}

/** @throws AddressRefusedError when the socket is connected to another address; the socket is destroyed. */
function verifyPeer(socket: Socket, host: string, vetted: readonly VettedAddress[]): Socket {
  const address = canonicalAddress(socket.remoteAddress);
  if (vetted.some((each) => each.address === address)) return socket;
  const wasClosed = socket.remoteAddress === undefined;
  socket.on('error', () => undefined).destroy();
  if (wasClosed) {
    throw Object.assign(new Error(`${host} closed the connection immediately.`), { code: 'ECONNRESET' });
  }
  throw new AddressRefusedError({ host, reason: 'address_changed', address: socket.remoteAddress });
}

/** Resolving cannot be aborted, so a late result is ignored. */
async function within<T>(timeout: number, work: Promise<T>, target: buildConnector.Options): Promise<T> {
  if (timeout === 0) return work;
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new errors.ConnectTimeoutError(`Resolving ${target.hostname} took longer than ${timeout} ms.`));
    }, timeout);
  });
  try {
    return await Promise.race([work, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
