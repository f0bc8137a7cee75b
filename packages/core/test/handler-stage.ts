import type {
  InboundAccess,
  InboundAgent,
  InboundPort,
  InboundRequest,
  InboundResult,
} from '../src/inbound-http/inbound-agent.ts';
import { createInboundHandler, type InboundHandlerOptions } from '../src/inbound-http/inbound-handler.ts';

/** An agent that takes every request and keeps what it was given. */
export class PortDouble implements InboundPort {
  readonly requests: InboundRequest[] = [];
  readonly states: string[] = [];
  attached = 0;
  checked: Promise<void> = Promise.resolve();
  result: (request: InboundRequest) => InboundResult | Promise<InboundResult> = () => ({
    kind: 'ended',
    taskId: 'task',
    messageId: 'message',
    contextId: 'context',
    end: { state: 'answered', at: 'now', answer: { messageId: 'answer', text: 'Hello' }, error: null },
  });

  attach(): void {
    this.attached += 1;
  }

  serverChanged(): void {}

  bodyWasRead(): void {}

  card() {
    return { name: 'agent', skills: [] };
  }

  async authenticate(headers: Pick<Headers, 'get'>): Promise<InboundAccess> {
    const [use, subject = ''] = (headers.get('authorization')?.slice('Bearer '.length) ?? '').split(' ');
    if (use === 'slow') await this.checked;
    if (use === 'push' || use === 'direct')
      return { kind: 'granted', caller: { use, subject }, tokenId: 'jti-1' };
    return { kind: 'refused', refusal: { status: 401, code: 'unauthorized', message: 'No.', hint: 'Yes.' } };
  }

  async receive(request: InboundRequest): Promise<InboundResult> {
    this.requests.push(request);
    return this.result(request);
  }

  async stream(): Promise<never> {
    throw new Error('unused');
  }

  async resubscribe(): Promise<null> {
    return null;
  }

  async find(): Promise<null> {
    return null;
  }

  async cancel(): Promise<null> {
    return null;
  }

  stateChanged(status: string): void {
    this.states.push(status);
  }
}

export function handlerStage(options?: InboundHandlerOptions) {
  const inbound = new PortDouble();
  const agent: InboundAgent = { inbound };
  const handler = createInboundHandler(agent, options);
  const send = (init: RequestInit & { readonly path?: string } = {}): Promise<Response> =>
    handler(
      new Request(`http://agent.test${init.path ?? '/'}`, {
        method: 'POST',
        ...init,
        headers: { authorization: 'Bearer push', ...(init.headers as Record<string, string>) },
      }),
    );
  const post = async (body: unknown, headers: Record<string, string> = {}) => {
    const response = await send({ body: JSON.stringify(body), headers });
    // biome-ignore lint/suspicious/noExplicitAny: tests look into it
    return { status: response.status, body: (await response.json()) as any };
  };
  return { inbound, send, post };
}

/** Lets the agent respond only after the returned function was called. */
export function holdResults(inbound: PortDouble): () => void {
  const finish = Promise.withResolvers<void>();
  const { result } = inbound;
  inbound.result = async (request) => {
    await finish.promise;
    return result(request);
  };
  return () => finish.resolve();
}
