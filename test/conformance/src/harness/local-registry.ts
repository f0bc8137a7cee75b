import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url));

/** A registry of npm on this machine, which has packages of this repository and nothing else. */
export interface LocalRegistry {
  readonly url: string;
  stop(): Promise<void>;
}

interface Packed {
  readonly manifest: { readonly name: string; readonly version: string };
  readonly file: string;
  readonly content: Buffer;
}

/** Packs all packages as they are published, and serves them. */
export async function startLocalRegistry(folder: string): Promise<LocalRegistry> {
  const pack = ['-y', 'pnpm@12', '--filter', './packages/*', 'pack', '--pack-destination', folder];
  await run('npx', pack, { cwd: ROOT });
  const names = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  return serve(await Promise.all(names.map((file) => read(folder, file))));
}

/** Has no package, as others have before ours are published. */
export const startEmptyRegistry = (): Promise<LocalRegistry> => serve([]);

async function serve(packages: readonly Packed[]): Promise<LocalRegistry> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '/', url).pathname).slice(1);
    const found = packages.find(({ manifest, file }) => path === manifest.name || path === file);
    if (found === undefined) response.writeHead(404).end('{}');
    else if (path === found.file) response.end(found.content);
    else response.setHeader('content-type', 'application/json').end(JSON.stringify(packument(found, url)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { url, stop };
}

async function read(folder: string, file: string): Promise<Packed> {
  const path = join(folder, file);
  const { stdout } = await run('tar', ['-xzOf', path, 'package/package.json']);
  return { manifest: JSON.parse(stdout), file, content: readFileSync(path) };
}

/** What npm asks a registry for: the versions of a package, here one. */
function packument({ manifest, file, content }: Packed, url: string) {
  const integrity = `sha512-${createHash('sha512').update(content).digest('base64')}`;
  const version = { ...manifest, dist: { tarball: url + file, integrity } };
  return {
    name: manifest.name,
    'dist-tags': { latest: manifest.version },
    versions: { [manifest.version]: version },
  };
}
