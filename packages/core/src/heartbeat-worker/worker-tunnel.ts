import type { Agent, ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';
import { proxyFailure, proxyResponse } from '../errors/proxy-failure.ts';
import type { WorkerProxy } from './worker-messages.ts';

type OnConnection = (error: Error | null, connection?: Duplex) => void;

/** Lets all connections of an agent of `node:http` or `node:https` pass through a proxy, by CONNECT. */
export function passThrough(
  proxy: WorkerProxy,
  agent: Agent,
  { isTls, timeoutMs }: { readonly isTls: boolean; readonly timeoutMs: number },
): void {
  const connect = (target: ClientRequestArgs, onConnection: OnConnection): undefined => {
    openTunnel(proxy, target, timeoutMs, (error, socket) => {
      if (error !== null || socket === undefined || !isTls) onConnection(error, socket);
      else onConnection(null, startTls(socket, target));
    });
  };
  Object.assign(agent, { createConnection: connect });
}

function openTunnel(
  proxy: WorkerProxy,
  { host, port }: ClientRequestArgs,
  timeoutMs: number,
  onTunnel: OnConnection,
): void {
  const url = new URL(proxy.origin);
  const { request } = process.getBuiltinModule(url.protocol === 'https:' ? 'node:https' : 'node:http');
  const name = host?.includes(':') ? ['[', host, ']'].join('') : String(host);
  const authority = [name, port].join(':');
  const asked = request({
    method: 'CONNECT',
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port,
    path: authority,
    headers: {
      host: authority,
      ...(proxy.authorization === null ? {} : { 'proxy-authorization': proxy.authorization }),
    },
    agent: false,
    timeout: timeoutMs,
  });
  asked.on('connect', ({ statusCode = 0 }, socket) => {
    if (statusCode === 200) {
      onTunnel(null, socket.setTimeout(0));
      return;
    }
    socket.on('error', () => {}).destroy();
    onTunnel(proxyResponse(statusCode));
  });
  asked.on('timeout', () => asked.destroy(new Error('The proxy does not respond.')));
  asked.on('error', (error) => onTunnel(proxyFailure(error)));
  asked.end();
}

function startTls(socket: Duplex, { host, servername }: ClientRequestArgs & { servername?: string }): Duplex {
  const { connect } = process.getBuiltinModule('node:tls');
  return connect({
    socket,
    ...(host ? { host } : {}),
    ...(servername ? { servername } : {}),
    ALPNProtocols: ['http/1.1'],
  });
}
