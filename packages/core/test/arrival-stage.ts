import type { JsonObject } from '@molecule-ai/protocol';
import { createInboundHandler } from '../src/inbound-http/inbound-handler.ts';
import { PEER } from './agent-ids.ts';
import { type AgentClientDouble, type AgentStage, agentStage, type StageOptions } from './agent-stage.ts';

export const INBOUND_SECRET = 'a-secret-of-28-characters-ok';

/** A response, read. */
export interface Received {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it
  readonly body: any;
}

/** An agent that receives by requests; its secret stands for the platform. */
export interface ArrivalStage extends AgentStage {
  /** Posts a body; resolves with the response. */
  post(body: unknown, options?: PostOptions): Promise<Received>;
  /** Posts a body; resolves with the response, whose body is not read. */
  open(body: unknown, options?: PostOptions): Promise<Response>;
  /** Posts a message as the platform pushes it, and runs all pending promises. */
  push(id: string, options?: PushOptions): Promise<{ readonly response: Promise<Received> }>;
}

export interface PostOptions {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface PushOptions extends PostOptions {
  /** @default 'message/send' */
  readonly method?: string;
  readonly text?: string;
  readonly message?: JsonObject;
  readonly metadata?: JsonObject;
}

/** Starts an agent with `delivery: 'push'`, unless the options name another one. */
export async function arrivalStage(
  options: StageOptions & { readonly isStarted?: boolean } = {},
  client?: AgentClientDouble,
): Promise<ArrivalStage> {
  const { isStarted = true, ...rest } = options;
  const { AgentClientDouble } = await import('./agent-stage.ts');
  const double = client ?? new AgentClientDouble();
  double.reportedUrl = 'https://agent.test/';
  const stage = agentStage(
    {
      delivery: 'push',
      inboundAuth: { sharedSecret: INBOUND_SECRET },
      concurrency: 4,
      ...rest,
    },
    double,
  );
  const handler = createInboundHandler(stage.agent);
  if (isStarted) {
    await stage.agent.start();
    await stage.client.flushPromises();
  }
  const open: ArrivalStage['open'] = (body, { path = '/', headers, signal } = {}) =>
    handler(
      new Request(`https://agent.test${path}`, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers: { authorization: `Bearer ${INBOUND_SECRET}`, ...headers },
        ...(signal === undefined ? {} : { signal }),
      }),
    );
  const post: ArrivalStage['post'] = async (body, options) => {
    const response = await open(body, options);
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  return {
    ...stage,
    post,
    open,
    push: async (id, given = {}) => {
      const response = post(pushOf(id, given), given);
      await stage.client.flushPromises();
      return { response };
    },
  };
}

/** The body of a push: the message of a peer, with what the platform says of it. */
export function pushOf(
  id: string,
  { method = 'message/send', text = `text of ${id}`, message, metadata }: PushOptions = {},
): JsonObject {
  const { metadata: _own, ...rest } = message ?? {};
  return {
    jsonrpc: '2.0',
    id: `rpc-${id}`,
    method,
    params: {
      message: {
        kind: 'message',
        role: 'user',
        messageId: `message-${id}`,
        contextId: `context-${id}`,
        parts: [{ kind: 'text', text }],
        ...rest,
        ...(message?.metadata === undefined ? {} : { metadata: message.metadata }),
      },
      metadata: { source: 'peer_agent', source_id: PEER, peer_id: PEER, activity_id: id, ...metadata },
    },
  };
}
