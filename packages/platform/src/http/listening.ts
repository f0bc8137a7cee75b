import type { AddressGuard } from '@molecule-ai/net-guard';
import type { FastifyInstance } from 'fastify';
import { errorFacts } from '../foreign-error.ts';
import type { PlatformSettings } from '../options/resolve-settings.ts';
import { PlatformStartError } from '../platform-start-error.ts';

/** How requests reach the platform, and how it reaches agents with a URL. */
export interface Connections {
  /** Returns the URL of the platform, without a trailing slash. */
  open(app: FastifyInstance, settings: PlatformSettings): Promise<string>;
  /** Requests in flight may finish within the settings' `stopTimeoutMs`. */
  close(app: FastifyInstance, settings: PlatformSettings): Promise<void>;
  /** What connects to agents. */
  toAgents(guard: AddressGuard): AddressGuard;
}

export const socketConnections: Connections = {
  open: listen,
  close: (app, { server }) => closeApp(app, server.stopTimeoutMs),
  toAgents: (guard) => guard,
};

/** Starts to listen; returns the URL under which this machine reaches the platform. */
async function listen(app: FastifyInstance, settings: PlatformSettings): Promise<string> {
  const { host, port } = settings.server;
  try {
    await app.listen({ host, port });
  } catch (cause) {
    throw toStartError(cause, host, port);
  }
  const address = app.server.address();
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  return `http://${reachableName(host)}:${boundPort}`;
}

/** Closes the app: requests in flight may finish within `timeoutMs`, then their connections are closed. */
async function closeApp(app: FastifyInstance, timeoutMs: number): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), timeoutMs);
  try {
    await app.close();
  } finally {
    clearTimeout(timer);
  }
}

/** A wildcard address is for listening only, so the loopback address takes its place. */
function reachableName(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

const UNUSABLE: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EADDRNOTAVAIL: 'not an address of this machine',
  ENOTFOUND: 'unknown host',
};

function toStartError(cause: unknown, host: string, port: number): unknown {
  const { code } = errorFacts(cause);
  if (code === 'EADDRINUSE') {
    return new PlatformStartError('port_in_use', `Port ${port} of ${host} is in use.`, {
      hint: 'Stop the process that uses it, or choose another port (PORT, --port); 0 picks a free one.',
      cause,
    });
  }
  const reason = code === undefined ? undefined : UNUSABLE[code];
  if (reason !== undefined) {
    return new PlatformStartError('address_unusable', `Cannot listen on ${host}:${port}: ${reason}.`, {
      hint: 'Choose another host or port (HOST, PORT, --host, --port).',
      cause,
    });
  }
  return cause;
}
