import type { Agent, ClientRequestArgs, request as httpRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../time/clock.ts';
import { openTunnel } from './proxy-tunnel.ts';
import type { ExchangeEnd, HeartbeatToSend, WorkerProxy } from './worker-messages.ts';

/** Time limit of a request, in milliseconds. */
const TIMEOUT_MS = 10_000;
const MAX_BODY_BYTES = 1024 * 1024;

interface Protocol {
  readonly request: typeof httpRequest;
  readonly agent: Agent;
}

const protocols = new Map<string, Protocol>();

/** Loads TLS only where it is used. */
function protocolOf(name: string, proxy: WorkerProxy | null): Protocol {
  const key = proxy === null ? name : [name, proxy.origin, proxy.authorization].join(' ');
  const known = protocols.get(key);
  if (known !== undefined) return known;
  const isTls = name === 'https:';
  const { request, Agent } = process.getBuiltinModule(isTls ? 'node:https' : 'node:http');
  const agent = new Agent({ keepAlive: true, timeout: TIMEOUT_MS, maxSockets: 64, maxFreeSockets: 8 });
  if (proxy !== null) Object.assign(agent, { createConnection: tunnelThrough(proxy, isTls) });
  const made = { request, agent };
  protocols.set(key, made);
  return made;
}

/**
 * Sends one request of the worker, without following redirects. A connection that the server had closed in the meantime is
 * replaced once.
 * @returns cancels it; then `onEnd` is not called
 */
export function sendHeartbeat(
  clock: Clock,
  heartbeat: HeartbeatToSend,
  onEnd: (end: ExchangeEnd) => void,
): () => void {
  let hasEnded = false;
  let isSecondTry = false;
  let current: { destroy(): unknown } | undefined;
  const end = (result: ExchangeEnd): void => {
    if (hasEnded) return;
    cancel();
    onEnd(result);
  };
  const cancel = (): void => {
    hasEnded = true;
    timer.cancel();
    current?.destroy();
  };
  const timer = clock.setTimer(TIMEOUT_MS, () => {
    const message = ['No complete response within', TIMEOUT_MS, 'ms.'].join(' ');
    end({ kind: 'error', code: 'ETIMEDOUT', name: 'Error', message });
  });
  const attempt = (): void => {
    const { origin, proxy, path, headers } = heartbeat;
    const { request, agent } = protocolOf(new URL(origin).protocol, proxy);
    const sent = request(origin, { method: 'POST', path, headers, agent });
    current = sent;
    sent.on('response', (response) => readResponse(response, end));
    sent.on('error', (error) => {
      if (sent.reusedSocket && !isSecondTry && !hasEnded) {
        isSecondTry = true;
        attempt();
      } else end(errorEnd(error));
    });
    sent.end(heartbeat.body);
  };
  try {
    attempt();
  } catch (error) {
    queueMicrotask(() => end(errorEnd(error)));
  }
  return cancel;
}

function readResponse(response: IncomingMessage, end: (result: ExchangeEnd) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const finish = (): void => {
    const body = new Uint8Array(Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES));
    end({ kind: 'response', status: response.statusCode ?? 0, headers: { ...response.headers }, body });
  };
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) finish();
  });
  response.on('end', finish);
  response.on('error', (error) => end(errorEnd(error)));
}

function errorEnd(error: unknown): ExchangeEnd {
  const { name = 'Error', message = '', code = '' } = error as Partial<NodeJS.ErrnoException>;
  return { kind: 'error', code: String(code), name, message };
}

/** What lets the connections of an agent of `node:http` or `node:https` pass through a proxy. */
function tunnelThrough(proxy: WorkerProxy, isTls: boolean) {
  return (
    { host, port, servername }: ClientRequestArgs & { servername?: string },
    onConnection: (error: Error | null, connection?: Duplex) => void,
  ) =>
    openTunnel(proxy, String(host), Number(port), (error, socket) => {
      if (socket === undefined) onConnection(error);
      else onConnection(null, isTls ? startTls(socket, host, servername) : socket);
    });
}

function startTls(socket: Duplex, host: string | null | undefined, servername: string | undefined): Duplex {
  const { connect } = process.getBuiltinModule('node:tls');
  return connect({
    socket,
    ...(host ? { host } : {}),
    ...(servername ? { servername } : {}),
    ALPNProtocols: ['http/1.1'],
  });
}
