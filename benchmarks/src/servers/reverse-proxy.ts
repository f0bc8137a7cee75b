// The baseline for the platform: a proxy that forwards the same request over the same two hops. With a path as its second argument it
// appends each request and each response to that file, and flushes it before it passes them on.
import { createServer } from 'node:http';
import { Pool } from 'undici';
import { announce } from './announce.ts';
import { openFlushedLog } from './flushed-log.ts';

const [target, path] = process.argv.slice(2);
if (target === undefined) throw new Error('usage: reverse-proxy <target url> [<log>]');
const store = path === undefined ? undefined : await openFlushedLog(path);
const pool = new Pool(target, { connections: 128 });

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', async () => {
    const asked = Buffer.concat(chunks);
    await store?.(asked.toString('utf8'));
    const upstream = await pool.request({
      method: 'POST',
      path: '/',
      headers: { 'content-type': 'application/json' },
      body: asked,
    });
    const body = Buffer.from(await upstream.body.arrayBuffer());
    await store?.(body.toString('utf8'));
    response.writeHead(upstream.statusCode, {
      'content-type': 'application/json',
      'content-length': body.length,
    });
    response.end(body);
  });
});
announce(server);
