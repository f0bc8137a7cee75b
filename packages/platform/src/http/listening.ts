import type { FastifyInstance } from 'fastify';
import type { PlatformSettings } from '../options/platform-settings.ts';
import { PlatformStartError } from '../platform-start-error.ts';

/** Starts to listen; answers the URL that this machine reaches it by. */
export async function listen(app: FastifyInstance, settings: PlatformSettings): Promise<string> {
  const { host, port } = settings;
  try {
    await app.listen({ host, port });
  } catch (cause) {
    throw toStartError(cause, host, port);
  }
  const address = app.server.address();
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  return `http://${reachableName(host)}:${boundPort}`;
}

/** Ends the app: requests in flight may finish within the time, then their connections are cut. */
export async function closeApp(app: FastifyInstance, timeoutMs: number): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), timeoutMs);
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
  }
}

/** A wildcard address is listened on but not asked for. */
function reachableName(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

function toStartError(cause: unknown, host: string, port: number): unknown {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'EADDRINUSE') {
    return new PlatformStartError('port_in_use', `Port ${port} of ${host} is in use.`, {
      hint: 'Stop what listens there, or choose another port with port (PORT, --port); 0 picks a free one.',
      cause,
    });
  }
  if (code === 'EADDRNOTAVAIL' || code === 'EACCES' || code === 'ENOTFOUND') {
    return new PlatformStartError('address_unusable', `${host}:${port} cannot be listened on (${code}).`, {
      hint: 'Choose another host or port (HOST, PORT, --host, --port).',
      cause,
    });
  }
  return cause;
}
