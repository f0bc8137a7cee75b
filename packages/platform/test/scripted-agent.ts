import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request to a scripted agent. */
export interface AgentCall {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads any request
  readonly body: any;
  readonly response: ServerResponse;
}

/** The HTTP server of an agent, with responses that the test sets. */
export interface ScriptedAgent {
  readonly url: string;
  readonly port: number;
  readonly calls: AgentCall[];
  /** Resolves with the n-th call, counted from 1, when it arrives. */
  called(count: number): Promise<AgentCall>;
  close(): Promise<void>;
}

export async function startAgent(onCall: (call: AgentCall) => void): Promise<ScriptedAgent> {
  const calls: AgentCall[] = [];
  const waiting: { count: number; resolve: (call: AgentCall) => void }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
      const call = { path: request.url ?? '', headers: request.headers, body, response };
      calls.push(call);
      onCall(call);
      for (const each of waiting) if (each.count === calls.length) each.resolve(call);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    calls,
    called: (count) => {
      const came = calls[count - 1];
      return came === undefined
        ? new Promise((resolve) => waiting.push({ count, resolve }))
        : Promise.resolve(came);
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Responds with an answer, in the part shape that the platform writes. */
export function answerText({ body, response }: AgentCall, text: string): void {
  answerJson(response, {
    jsonrpc: '2.0',
    id: body.id,
    result: {
      kind: 'message',
      role: 'agent',
      messageId: `re-${body.id}`,
      parts: [{ kind: 'text', type: 'text', text }],
    },
  });
}

export function answerJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** A strict `message/send` envelope. */
export function say(
  text: string,
  messageId: string,
  metadata?: Record<string, unknown>,
): Record<string, unknown> {
  const message = {
    kind: 'message',
    role: metadata?.in_reply_to === undefined ? 'user' : 'agent',
    messageId,
    parts: [{ kind: 'text', type: 'text', text }],
    ...(metadata === undefined ? {} : { metadata }),
  };
  return { jsonrpc: '2.0', id: messageId, method: 'message/send', params: { message } };
}

/** Resolves when `check` returns a value; calls it again after each turn of the event loop. */
export async function eventually<T>(
  check: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) throw new Error('The check returned nothing within 10 s.');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
