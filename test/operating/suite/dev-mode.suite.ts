import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPlatformProcess } from '@molecule-tests/harness';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort, startCaddy, startNginx } from '../src/proxies.ts';

/** The table of docs/behind-a-proxy.md. */
const NGINX = (port: number, platform: number, lines: string) =>
  `server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${platform}; ${lines} } }`;
const CADDY = (port: number, platform: number, lines: string) =>
  `http://:${port} {\n\tbind 127.0.0.1\n\treverse_proxy 127.0.0.1:${platform} {\n\t\t${lines}\n\t}\n}\n`;
const OWN_HOST = 'header_up Host {upstream_hostport}';

interface Case {
  readonly of: 'nginx' | 'Caddy';
  readonly lines: string;
  /** Which requests without a credential have the rights of the operator: those that name the platform as their `Host`, or all. */
  readonly open: 'none' | 'with-its-host' | 'all';
}

const KEPT = 'proxy_http_version 1.1; proxy_set_header Connection "";';
const CASES: Readonly<Record<string, Case>> = {
  'nginx with nothing but proxy_pass, which is HTTP/1.0': { of: 'nginx', lines: '', open: 'none' },
  'nginx with HTTP/1.1, the default of newer versions': { of: 'nginx', lines: KEPT, open: 'all' },
  'nginx with HTTP/1.1 and the Host of the request': {
    of: 'nginx',
    lines: `${KEPT} proxy_set_header Host $http_host;`,
    open: 'with-its-host',
  },
  'nginx with HTTP/1.1 and X-Real-IP': {
    of: 'nginx',
    lines: `${KEPT} proxy_set_header X-Real-IP $remote_addr;`,
    open: 'none',
  },
  'nginx with HTTP/1.1 and X-Forwarded-For': {
    of: 'nginx',
    lines: `${KEPT} proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;`,
    open: 'none',
  },
  Caddy: { of: 'Caddy', lines: '', open: 'none' },
  'Caddy with the Host of the platform': { of: 'Caddy', lines: OWN_HOST, open: 'none' },
  'Caddy without X-Forwarded-* and with the Host of the platform': {
    of: 'Caddy',
    lines: `${OWN_HOST}\n\t\theader_up -X-Forwarded-*`,
    open: 'all',
  },
};

describe('a platform in dev mode', () => {
  it.each(Object.entries(CASES))('behind %s', async (_name, { of, lines, open }) => {
    const { folder, port } = await openDevMode();
    const outside = await freePort();
    mkdirSync(join(folder, 'proxy'));
    const [start, config] = of === 'nginx' ? [startNginx, NGINX] : [startCaddy, CADDY];
    const proxy = await start({ folder: join(folder, 'proxy'), config: config(outside, port, lines) });
    onTestFinished(() => proxy.stop());
    expect(await statusOf(port)).toBe(200);
    expect((await fetch(`http://127.0.0.1:${outside}/health`)).status).toBe(200);
    expect(await statusOf(outside)).toBe(open === 'all' ? 200 : 401);
    expect(await statusOf(outside, `localhost:${port}`)).toBe(open === 'none' ? 401 : 200);
  });

  it('behind a tunnel of bytes obeys who chooses the Host of the platform', async () => {
    const { port } = await openDevMode();
    const outside = await openRelay(port);
    expect(await statusOf(outside)).toBe(401);
    expect(await statusOf(outside, 'demo.example.com')).toBe(401);
    expect(await statusOf(outside, `localhost:${port}`)).toBe(200);
  });
});

/** The status of a request without a credential that only the operator may make. */
async function statusOf(port: number, host = `127.0.0.1:${port}`): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect({ port, host: '127.0.0.1' });
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk;
  });
  socket.on('error', reject);
  socket.on('close', () => resolve(received));
  socket.write(`GET /workspaces HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  const [, status] = /^HTTP\/1\.1 (\d+)/.exec(await promise) ?? [];
  return Number(status);
}

async function openDevMode(): Promise<{ readonly folder: string; readonly port: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-dev-mode-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { process, url } = await startPlatformProcess({
    folder,
    dataDirectory: join(folder, 'data'),
    arguments: ['--dev', '--log-level', 'error'],
  });
  onTestFinished(async () => void (await process.stop()));
  return { folder, port: Number(new URL(url).port) };
}

/** Passes bytes on, as `ssh -R` and TCP tunnels do. Returns its port. */
async function openRelay(port: number): Promise<number> {
  const open = new Set<Socket>();
  const relay = createServer((socket) => {
    const other = connect({ port, host: '127.0.0.1' });
    for (const each of [socket, other]) {
      open.add(each);
      each.on('error', () => {}).once('close', () => open.delete(each));
    }
    socket.pipe(other).pipe(socket);
  });
  const outside = await freePort();
  await new Promise<void>((resolve) => relay.listen(outside, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const each of open) each.destroy();
    await new Promise((resolve) => relay.close(resolve));
  });
  return outside;
}
