// The baseline for the platform: a proxy that forwards the same request over the same two hops.
import { createServer } from 'node:http';
import { Pool } from 'undici';
import { announce } from './announce.ts';

const target = process.argv[2];
if (target === undefined) throw new Error('usage: reverse-proxy <target url>');
const pool = new Pool(target, { connections: 128 });

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', async () => {
    const upstream = await pool.request({
      method: 'POST',
      path: '/',
      headers: { 'content-type': 'application/json' },
      body: Buffer.concat(chunks),
    });
    const body = Buffer.from(await upstream.body.arrayBuffer());
    response.writeHead(upstream.statusCode, {
      'content-type': 'application/json',
      'content-length': body.length,
    });
    response.end(body);
  });
});
announce(server);
