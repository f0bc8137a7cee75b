// The baseline of streams: writes one event of the form of A2A 0.3 for each delta that a message asks for, and checks and keeps nothing.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type JsonObject, StreamEvents, sseEvent } from '@molecule-ai/protocol';
import { announce } from './announce.ts';
import { deltasOf } from './deltas.ts';

interface StreamRequest {
  readonly id: string;
  readonly params: {
    readonly message: {
      readonly messageId: string;
      readonly contextId: string;
      readonly parts: readonly [{ readonly text: string }];
    };
  };
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', async () => {
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as StreamRequest;
    const { messageId, contextId, parts } = body.params.message;
    const answerId = crypto.randomUUID();
    const events = new StreamEvents({ taskId: messageId, messageId, contextId, answerId });
    const write = (result: JsonObject) =>
      response.write(sseEvent({ jsonrpc: '2.0', id: body.id, result })) || once(response, 'drain');
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    await write(events.task('delivered', new Date().toISOString()));
    for await (const delta of deltasOf(parts[0].text)) await write(events.text(delta));
    await write(events.end({ state: 'answered', at: new Date().toISOString() }));
    response.end();
  });
});
announce(server);
