import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { HeartbeatServer } from '../heartbeat-server.ts';

/** Bundles, and processes with heartbeats a second apart. */
vi.setConfig({ testTimeout: 60_000 });

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'molecule-worker-'));
let server: HeartbeatServer;
beforeAll(async () => {
  server = await HeartbeatServer.start();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Blocks its event loop from the file `block` to the file `go on`; then it ends by itself. */
const PROGRAM = `
const { existsSync } = process.getBuiltinModule('node:fs');
const own = process.env.OWN_FOLDER;
const client = new RemoteAgentClient({
  workspaceId: process.env.WORKSPACE, platformUrl: process.env.URL_OF_PLATFORM, authToken: 'token',
  storage: { directory: own }, logger: silentLogger,
});
const stop = new AbortController();
const loop = client.runHeartbeatLoop({ heartbeatIntervalMs: 1000, signal: stop.signal });
const poll = setInterval(() => {
  if (!existsSync(own + '/block')) return;
  clearInterval(poll);
  process.stdout.write('blocked ');
  while (!existsSync(own + '/go on')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  stop.abort();
}, 20);
loop.then(async (outcome) => {
  await client.close();
  process.stdout.write(outcome);
});
`;
const REQUIRE = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;

it.each([
  ['esm', 'mjs', `import { RemoteAgentClient, silentLogger } from '@molecule-ai/core';`, { js: REQUIRE }],
  ['cjs', 'cjs', `const { RemoteAgentClient, silentLogger } = require('@molecule-ai/core');`, {}],
] as const)(
  'a bundle in a single %s file, without node_modules beside it, has the worker',
  async (format, extension, opening, banner) => {
    const own = mkdtempSync(join(folder, `${format}-`));
    const file = join(own, `bundle.${extension}`);
    await build({
      stdin: { contents: opening + PROGRAM, resolveDir: root },
      bundle: true,
      minify: true,
      platform: 'node',
      format,
      outfile: file,
      logLevel: 'error',
      banner,
    });
    const id = `5f0c7a5e-2d6b-4b9f-9f0a-00000000000${format === 'esm' ? 1 : 2}`;
    await server.watch(id);
    const variables = { URL_OF_PLATFORM: server.url, WORKSPACE: id, OWN_FOLDER: own };
    const program = spawn(process.execPath, [file], {
      cwd: own,
      env: { PATH: process.env.PATH, ...variables },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(program, 'close');
    let output = '';
    program.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
    await server.received(id, 2);
    writeFileSync(join(own, 'block'), '');
    while (output === '') await once(program.stdout, 'data');
    await server.received(id, 2);
    writeFileSync(join(own, 'go on'), '');
    expect([(await ended)[0], output]).toEqual([0, 'blocked stopped']);
  },
);

it('without permission for worker threads an agent sends from the main thread', async () => {
  const id = '5f0c7a5e-2d6b-4b9f-9f0a-000000000003';
  await server.watch(id);
  const script = `import { RemoteAgentClient } from '@molecule-ai/core';
    const warn = (_fields, text) => console.log(text);
    let heartbeats = 0;
    const stop = new AbortController();
    const client = new RemoteAgentClient({
      workspaceId: ${JSON.stringify(id)}, platformUrl: ${JSON.stringify(server.url)}, authToken: 'token',
      storage: { directory: ${JSON.stringify(folder)} }, logger: { debug() {}, info() {}, warn, error: warn },
    });
    const taskSupplier = () => {
      heartbeats += 1;
      if (heartbeats === 3) stop.abort();
      return {};
    };
    await client.runHeartbeatLoop({ heartbeatIntervalMs: 1000, signal: stop.signal, taskSupplier });
    await client.close();`;
  const permissions = ['--permission', '--allow-fs-read=*', '--allow-fs-write=*'];
  const args = [...permissions, '--input-type=module', '-e', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  expect(stdout.trim()).toBe('Heartbeats are sent from the main thread, because no worker thread can start.');
  expect(server.count(id)).toBeGreaterThanOrEqual(2);
});
