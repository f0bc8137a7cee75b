import type { HandlerContext } from '../src/agent/handlers.ts';
import { AgentClientDouble, type StageOptions } from './agent-stage.ts';
import { type ArrivalStage, arrivalStage, type PushOptions, pushOf } from './arrival-stage.ts';
import { EventStream } from './event-stream.ts';
import { ISSUER, TestSigner } from './peer-tokens.ts';

export type StreamStageOptions = StageOptions;

/** A handler that the test runs step by step. */
export class Script {
  contexts: HandlerContext[] = [];
  #ends: ((end: () => unknown) => void)[] = [];

  readonly handler = async (_message: unknown, context: HandlerContext): Promise<never> => {
    this.contexts.push(context);
    const end = await new Promise<() => unknown>((resolve, reject) => {
      this.#ends.push(resolve);
      context.signal.addEventListener('abort', () => reject(context.signal.reason));
    });
    return (await end()) as never;
  };

  get context(): HandlerContext {
    const context = this.contexts.at(-1);
    if (context === undefined) throw new Error('The handler has not begun.');
    return context;
  }

  /** Ends the latest run. */
  end(end: () => unknown = () => undefined): void {
    this.#ends.at(-1)?.(end);
  }
}

/** An agent whose handler is a script. */
export async function scripted(options: StreamStageOptions = {}, client?: AgentClientDouble) {
  const script = new Script();
  const stage = await arrivalStage({ onMessage: script.handler, ...options }, client);
  return { script, ...stage };
}

/** Sends a message, and opens the stream of its answer. */
export async function openStream(
  stage: Pick<ArrivalStage, 'open' | 'client'>,
  id: string,
  options: PushOptions = {},
): Promise<EventStream> {
  const response = await stage.open(pushOf(id, { method: 'message/stream', ...options }), options);
  if (response.headers.get('content-type') !== 'text/event-stream') throw new Error(await response.text());
  await stage.client.flushPromises();
  return new EventStream(response);
}

/** The stream of one message, with a token of the platform or of a peer. */
export async function streamOf(use: string, options: StreamStageOptions = {}) {
  const client = new AgentClientDouble();
  client.capabilities = new Set(['acknowledge', 'questions']);
  const signer = await TestSigner.start(client.clock);
  client.issuer = ISSUER;
  client.keys = await signer.jwks();
  const stage = await scripted({ ...options, inboundAuth: 'peer-tokens' }, client);
  const headers = { authorization: `Bearer ${await signer.token({ use })}` };
  const events = await openStream(stage, 'one', { headers });
  return { ...stage, events, headers };
}
