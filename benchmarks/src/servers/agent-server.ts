// A minimal agent as a process: parses each JSON-RPC request, and answers with one text part in the form of its version of A2A.
// With a path as its argument it appends each request to that file first; requests of one moment are flushed together.
import { createServer } from 'node:http';
import { announce } from './announce.ts';
import { openFlushedLog } from './flushed-log.ts';

const CONTEXT_ID = '4c1de9a2-0000-4000-8000-000000000000';
const about = { messageId: 'b7a3f1de-0000-4000-8000-000000000000', contextId: CONTEXT_ID };
const TEXT = 'the answer of the peer';
const RESULT = {
  kind: 'message',
  role: 'agent',
  ...about,
  parts: [{ kind: 'text', type: 'text', text: TEXT }],
};
/** Of A2A 1.0. */
const RESULT_1 = { message: { ...about, role: 'ROLE_AGENT', parts: [{ text: TEXT }] } };

const [path] = process.argv.slice(2);
const store = path === undefined ? undefined : await openFlushedLog(path);

/** For whoever checks what a contender sends: `GET /last-request`. */
let last: object = {};

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.end(JSON.stringify(last));
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', async () => {
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { id?: unknown; method?: unknown };
    last = { method: request.method, url: request.url, headers: request.headers, body };
    await store?.(JSON.stringify(body));
    const answer = JSON.stringify({
      jsonrpc: '2.0',
      id: body.id ?? null,
      result: body.method === 'SendMessage' ? RESULT_1 : RESULT,
    });
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(answer),
    });
    response.end(answer);
  });
});
announce(server);
