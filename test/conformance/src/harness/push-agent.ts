import {
  A2AServer,
  type AnswerHandler,
  createRemoteAgent,
  type InboundMessage,
  type RemoteAgent,
  type RemoteAgentClient,
  type RemoteAgentOptions,
} from '@molecule-ai/core';
import {
  createInboundHandler,
  type InboundHandler,
  type InboundHandlerOptions,
} from '@molecule-ai/core/inbound';
import { type RecordingLogger, recordingLogger } from '@molecule-ai/core/testing';
import type { ManualClock } from '@molecule-tests/harness';
import type { Member } from './members.ts';
import { type Handler, stopOnClock } from './test-agent.ts';
import type { TestEnvironment } from './test-environment.ts';

export interface PushAgentOptions
  extends Pick<RemoteAgentOptions, 'delivery' | 'inboundAuth' | 'store' | 'concurrency' | 'presence'> {
  /** @default responds with `echo: <text>` */
  readonly onMessage?: Handler;
  readonly onAnswer?: AnswerHandler;
  readonly handler?: InboundHandlerOptions;
  readonly stateDirectory?: string;
  readonly clock?: ManualClock;
  /** @default a free one */
  readonly port?: number;
  /** @default that of its own server */
  readonly reportedUrl?: string;
  /** Changes each request before the agent gets it, as a proxy does. */
  readonly onRequest?: (request: Request) => Request;
  readonly onResponse?: (response: Response) => void;
}

/** An agent in this process with a server of its own. */
export interface PushAgent {
  readonly agent: RemoteAgent;
  readonly client: RemoteAgentClient;
  readonly url: string;
  readonly log: RecordingLogger;
  /** In the order in which the handler was called. */
  readonly handled: InboundMessage[];
  /** Closes the server, and opens it again on the same port. */
  close(): Promise<void>;
  open(): Promise<void>;
  stop(): Promise<void>;
}

/** Creates an agent of `member` with a server; the server is started, the agent is not. */
export async function createPushAgent(
  environment: TestEnvironment,
  platform: { readonly url: string },
  member: Member,
  options: PushAgentOptions = {},
): Promise<PushAgent> {
  const {
    onMessage,
    handler: handling,
    stateDirectory,
    clock,
    port = 0,
    onRequest,
    onResponse,
    reportedUrl,
    ...rest
  } = options;
  let handler: InboundHandler | undefined;
  const serve: InboundHandler = async (request) => {
    if (handler === undefined) return new Response(null, { status: 503 });
    const response = await handler(onRequest === undefined ? request : onRequest(request));
    onResponse?.(response);
    return response;
  };
  let server = new A2AServer({ port, handler: serve });
  await server.start();
  const { url } = server;
  const log = recordingLogger();
  const client = environment.client(platform, member, {
    reportedUrl: reportedUrl ?? url,
    connection: { clock },
    logger: log,
    ...(stateDirectory === undefined ? {} : { storage: { directory: stateDirectory } }),
  });
  const handled: InboundMessage[] = [];
  const agent = createRemoteAgent({
    delivery: 'push',
    ...rest,
    client,
    onMessage: (message, context) => {
      handled.push(message);
      return onMessage === undefined ? `echo: ${message.text}` : onMessage(message, context);
    },
  });
  handler = createInboundHandler(agent, handling);
  const close = (): Promise<void> => server.stop({ timeoutMs: 0 });
  const open = async (): Promise<void> => {
    server = new A2AServer({ port: Number(new URL(url).port), handler: serve });
    await server.start();
  };
  const stop = async (): Promise<void> => {
    if (clock === undefined) await agent.stop({ timeoutMs: 0 });
    else await stopOnClock(clock, agent);
    await close();
  };
  environment.onCleanup(stop);
  return { agent, client, url, log, handled, close, open, stop };
}

/** Starts an agent with a server. */
export async function startPushAgent(
  environment: TestEnvironment,
  platform: { readonly url: string },
  member: Member,
  options: PushAgentOptions = {},
): Promise<PushAgent> {
  const started = await createPushAgent(environment, platform, member, options);
  await started.agent.start();
  return started;
}
