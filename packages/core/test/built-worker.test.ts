import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, expect, it } from 'vitest';
import { HeartbeatServer } from './heartbeat-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'molecule-worker-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Sends heartbeats until three came from the worker, while its event loop is blocked; then it ends by itself. */
const PROGRAM = `
const client = new RemoteAgentClient({
  workspaceId: '5f0c7a5e-2d6b-4b9f-9f0a-1d2c3b4a5e6f', platformUrl: process.env.URL_OF_PLATFORM, authToken: 'token',
  stateDirectory: ${JSON.stringify(folder)}, logger: silentLogger,
});
const stop = new AbortController();
const loop = client.runHeartbeatLoop({ heartbeatIntervalMs: 1000, signal: stop.signal });
setTimeout(() => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6000);
  stop.abort();
}, 1500);
loop.then(async (outcome) => {
  await client.close();
  process.stdout.write(outcome);
});
`;

it.each(['esm', 'cjs'] as const)(
  'a bundle in a single %s file, without node_modules beside it, has the worker',
  async (format) => {
    await using server = await HeartbeatServer.start();
    const file = join(folder, `bundle.${format === 'esm' ? 'mjs' : 'cjs'}`);
    const opening =
      format === 'esm'
        ? `import { RemoteAgentClient, silentLogger } from '@molecule-ai/core';`
        : `const { RemoteAgentClient, silentLogger } = require('@molecule-ai/core');`;
    await build({
      stdin: { contents: opening + PROGRAM, resolveDir: fileURLToPath(new URL('..', import.meta.url)) },
      bundle: true,
      minify: true,
      platform: 'node',
      format,
      outfile: file,
      logLevel: 'error',
      ...(format === 'esm'
        ? {
            banner: {
              js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
            },
          }
        : {}),
    });
    const { count } = server;
    const options = {
      cwd: folder,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, URL_OF_PLATFORM: server.url },
    } as const;
    expect(execFileSync(process.execPath, [file], options)).toBe('stopped');
    // Two while it ran, and those of the worker, of which the first is late.
    expect(server.count - count).toBeGreaterThanOrEqual(5);
  },
);

it('without permission for worker threads an agent sends from the main thread', async () => {
  await using server = await HeartbeatServer.start();
  const script = `import { RemoteAgentClient } from '@molecule-ai/core';
    const client = new RemoteAgentClient({
      workspaceId: '5f0c7a5e-2d6b-4b9f-9f0a-1d2c3b4a5e6f', platformUrl: ${JSON.stringify(server.url)}, authToken: 'token',
      stateDirectory: ${JSON.stringify(folder)},
      logger: { debug() {}, info() {}, warn: (_fields, text) => console.log(text), error: (_fields, text) => console.log(text) },
    });
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 1500);
    await client.runHeartbeatLoop({ heartbeatIntervalMs: 1000, signal: stop.signal });
    await client.close();`;
  const root = fileURLToPath(new URL('..', import.meta.url));
  const args = [
    '--permission',
    '--allow-fs-read=*',
    '--allow-fs-write=*',
    '--input-type=module',
    '-e',
    script,
  ];
  const output = execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  expect(output.trim()).toBe('Heartbeats are sent from the main thread, because no worker thread can start.');
  expect(server.count).toBeGreaterThanOrEqual(2);
});
