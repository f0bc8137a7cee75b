import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import PoolFile from 'undici/lib/dispatcher/pool.js';
import { afterAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const stateDirectory = mkdtempSync(join(tmpdir(), 'molecule-built-'));
afterAll(() => rmSync(stateDirectory, { recursive: true, force: true }));

/** Runs a script in a fresh process, in which the built package is imported by its name. */
function run(type: 'module' | 'commonjs', script: string): unknown {
  const args = [`--input-type=${type}`, '-e', script];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' }));
}

const OPEN = {
  module: `import { createRequire } from 'node:module';
    const { cache } = createRequire(import.meta.url + '/..');
    const { RemoteAgentClient } = await import('@molecule-ai/core');`,
  commonjs: `const { cache } = require;
    const { RemoteAgentClient } = require('@molecule-ai/core');`,
};

const USE = `
const { createServer } = process.getBuiltinModule('node:http');
const server = createServer((_request, response) => {
  response.writeHead(404, { 'content-type': 'application/json' });
  response.end('{ "error": "no such workspace", "code": "workspace_not_found" }');
}).listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));
const loaded = () => Object.keys(cache).filter((file) => /[\\\\/]undici[\\\\/]lib/.test(file));
const before = loaded().length;
const client = new RemoteAgentClient({
  workspaceId: '5f0c7a5e-2d6b-4b9f-9f0a-1d2c3b4a5e6f', platformUrl: 'http://127.0.0.1:' + server.address().port,
  authToken: 'token', storage: { directory: ${JSON.stringify(stateDirectory)} }, limits: { maxRetries: 0 },
});
const { code } = await client.getWorkspace().catch((error) => error);
await client.close();
server.close();
const after = loaded();
console.log(JSON.stringify({
  before, code,
  pool: after.some((file) => /dispatcher[\\\\/]pool\\.js$/.test(file)), fetch: after.some((file) => /web[\\\\/]fetch/.test(file)),
}));
`;

describe.each(['module', 'commonjs'] as const)('the %s build', (type) => {
  it('loads undici with the first request, and of undici the pool alone', () => {
    const script = type === 'module' ? OPEN.module + USE : `(async () => { ${OPEN.commonjs} ${USE} })()`;
    expect(run(type, script)).toEqual({ before: 0, code: 'not_found', pool: true, fetch: false });
  });
});

const STREAM = `
const { createServer } = process.getBuiltinModule('node:http');
const seen = [];
process.getBuiltinModule('node:module').registerHooks({
  resolve: (name, context, next) => { seen.push(name); return next(name, context); },
});
const event = { jsonrpc: '2.0', id: 1, result: { kind: 'message', parts: [{ kind: 'text', text: 'streamed' }] } };
const server = createServer((request, response) => {
  const type = request.method === 'POST' ? 'text/event-stream' : 'application/json';
  response.writeHead(200, { 'content-type': type, 'x-molecule-capabilities': 'stream' });
  response.end(request.method === 'POST' ? 'data: ' + JSON.stringify(event) + '\\n\\n' : '{ "status": "ok" }');
}).listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));
const isLoaded = () => seen.includes('eventsource-parser');
const client = new RemoteAgentClient({
  workspaceId: '5f0c7a5e-2d6b-4b9f-9f0a-1d2c3b4a5e6f', platformUrl: 'http://127.0.0.1:' + server.address().port,
  authToken: 'token', storage: { directory: ${JSON.stringify(stateDirectory)} }, limits: { maxRetries: 0 },
});
await client.getWorkspace().catch(() => {});
const before = isLoaded();
const { text } = await client.streamPeer('6f0c7a5e-2d6b-4b9f-9f0a-1d2c3b4a5e6f', 'hello').reply();
await client.close();
server.close();
console.log(JSON.stringify({ before, after: isLoaded(), text }));
`;

describe.each(['module', 'commonjs'] as const)('the %s build', (type) => {
  it('loads the parser of server-sent events with the first stream', () => {
    const script =
      type === 'module' ? OPEN.module + STREAM : `(async () => { ${OPEN.commonjs} ${STREAM} })()`;
    expect(run(type, script)).toEqual({ before: false, after: true, text: 'streamed' });
  });
});

it('the file of undici that is imported alone holds what undici exports', () => {
  expect(PoolFile).toBe(Pool);
});

it('both builds of one package know their errors, and each other\u2019s', () => {
  const script = `import { createRequire } from 'node:module';
    const required = createRequire(import.meta.url + '/..')('@molecule-ai/core');
    const imported = await import('@molecule-ai/core');
    const error = new required.ConfigurationError('wrong', {});
    console.log(JSON.stringify([imported.MoleculeError === required.MoleculeError, imported.MoleculeError.isInstance(error)]));`;
  expect(run('module', script)).toEqual([false, true]);
});

it('both builds of one package share the message that is handled', () => {
  const script = `import { createRequire } from 'node:module';
    import { createServer } from 'node:http';
    const required = createRequire(import.meta.url + '/..')('@molecule-ai/core');
    const imported = await import('@molecule-ai/core');
    const server = createServer((_request, response) => response.end('{ "status": "registered" }')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const row = { id: 'row-1', seq: 1, message_id: 'm-1', source_id: null, method: 'message/send', data: { text: 'hi' } };
    const client = new required.RemoteAgentClient({
      workspaceId: '5f0c7a5e-2d6b-4b9f-9f0a-1d2c3b4a5e6f', platformUrl: 'http://127.0.0.1:' + server.address().port,
      authToken: 'token', storage: { directory: ${JSON.stringify(stateDirectory)} }, limits: { maxRetries: 0 }, logger: required.silentLogger,
    });
    const seen = new Promise((resolve) => {
      const agent = required.createRemoteAgent({
        client,
        delivery: {
          name: 'one', expectedSilenceMs: Infinity,
          run: async ({ inbox }, signal) => {
            inbox.accept(required.parseActivityRow(row));
            await new Promise((ended) => signal.addEventListener('abort', ended));
          },
        },
        onMessage: () => resolve([imported.currentMessage()?.messageId, required.currentMessage() === imported.currentMessage()]),
      });
      agent.start().catch(resolve);
    });
    setTimeout(() => process.exit(1), 10_000);
    console.log(JSON.stringify([await seen, imported.currentMessage() ?? null, imported.currentMessage === required.currentMessage]));
    process.exit();`;
  expect(run('module', script)).toEqual([['m-1', true], null, false]);
});

it('jose is loaded with the first token, and not with an agent that starts and gets none', () => {
  const script = `import { readFileSync } from 'node:fs';
    import { registerHooks } from 'node:module';
    import { createServer } from 'node:http';
    const loaded = [];
    registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
    const { createRemoteAgent, MemoryInboundStore, RemoteAgentClient, silentLogger } = await import('@molecule-ai/core');
    const { createInboundHandler } = await import('@molecule-ai/core/inbound');
    const server = createServer((_request, response) => response.end('{ "status": "registered", "issuer": "urn:molecule:x" }')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const platformUrl = 'http://127.0.0.1:' + server.address().port;
    const client = new RemoteAgentClient({
      workspaceId: '5f0c7a5e-2d6b-4b9f-9f0a-1d2c3b4a5e6f', platformUrl, reportedUrl: platformUrl,
      authToken: 'token', storage: { directory: ${JSON.stringify(stateDirectory)} }, limits: { maxRetries: 0 },
    });
    const agent = createRemoteAgent({ client, delivery: 'push', store: new MemoryInboundStore(), onMessage: () => {} });
    const handler = createInboundHandler(agent);
    await agent.start();
    const post = (headers) => handler(new Request(platformUrl, { method: 'POST', headers, body: '{}' }));
    // It is a part of the package, so it is recognised by what it contains.
    const isLoaded = () => loaded.some((url) =>
      url.startsWith('file:') && readFileSync(new URL(url), 'utf8').includes('ERR_JWS_SIGNATURE_VERIFICATION_FAILED'));
    const { status } = await post({});
    const before = isLoaded();
    await post({ authorization: 'Bearer a.b.c' });
    console.log(JSON.stringify([status, loaded.length > 0, before, isLoaded()]));
    process.exit();`;
  expect(run('module', script)).toEqual([401, true, false, true]);
});

it.each(['module', 'commonjs'] as const)(
  'the tools of the %s build are imported without an HTTP client',
  (type) => {
    const open =
      type === 'module'
        ? "await import('@molecule-ai/core/adapter-kit')"
        : "require('@molecule-ai/core/adapter-kit')";
    const script = `(async () => {
    const loaded = [];
    process.getBuiltinModule('node:module').registerHooks({
      resolve: (name, context, next) => { loaded.push(name); return next(name, context); },
    });
    const { peerTools } = ${open};
    const client = { workspaceId: '5f0c7a5e-2d6b-4b9f-9f0a-1d2c3b4a5e6f', callPeer() {},
      [Symbol.for('@molecule-ai/core/client-port')]: {} };
    console.log(JSON.stringify([peerTools(client).length, loaded.filter((name) => /undici|eventsource|worker|jose/.test(name))]));
  })()`;
    expect(run(type, script)).toEqual([7, []]);
  },
);
