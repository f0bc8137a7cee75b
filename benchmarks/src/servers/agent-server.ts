// A minimal agent as a process: answers each JSON-RPC request with one text part.
import { createServer } from 'node:http';
import { announce } from './announce.ts';

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { id?: unknown };
    const answer = JSON.stringify({
      jsonrpc: '2.0',
      id: body.id ?? null,
      result: {
        kind: 'message',
        role: 'agent',
        messageId: 'b7a3f1de-0000-4000-8000-000000000000',
        parts: [{ kind: 'text', type: 'text', text: 'the answer of the peer' }],
      },
    });
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(answer),
    });
    response.end(answer);
  });
});
announce(server);
