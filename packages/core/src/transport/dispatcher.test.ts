import { Agent as HttpsAgent } from 'node:https';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PEER, SELF, TOKEN } from '../../test/agent-ids.ts';
import { OPERATOR_KEY } from '../../test/test-client.ts';
import { RemoteAgentClient } from '../agent/remote-agent-client.ts';
import { OperatorClient } from '../operator.ts';
import type {
  DispatchController,
  DispatchedRequest,
  DispatchHandler,
  RequestDispatcher,
} from '../settings/connection-settings.ts';

/** Nobody listens there. */
const PLATFORM = 'http://platform.test';

/** A dispatcher that keeps what it is given; the test calls the handlers. */
class HeldExchanges implements RequestDispatcher {
  readonly requests: DispatchedRequest[] = [];
  readonly handlers: DispatchHandler[] = [];
  readonly aborted: Error[] = [];
  readonly controller: DispatchController = {
    abort: (reason) => void this.aborted.push(reason),
    pause: () => {},
    resume: () => {},
  };

  dispatch(options: DispatchedRequest, handler: DispatchHandler): boolean {
    this.requests.push(options);
    this.handlers.push(handler);
    handler.onRequestStart(this.controller, null);
    return true;
  }

  respond(at: number, status: number, body: unknown): void {
    const handler = this.handlers[at];
    handler?.onResponseStart(this.controller, status, {
      'content-type': 'application/json',
      'x-molecule-capabilities': 'stream',
    });
    handler?.onResponseData(this.controller, Buffer.from(JSON.stringify(body)));
    handler?.onResponseEnd(this.controller, {});
  }
}

function clientOf(dispatcher: RequestDispatcher): RemoteAgentClient {
  const client = new RemoteAgentClient({
    workspaceId: SELF,
    platformUrl: `${PLATFORM}/base`,
    authToken: TOKEN,
    connection: { dispatcher },
    limits: { maxRetries: 0 },
  });
  onTestFinished(() => client.close());
  return client;
}

describe('the option dispatcher', () => {
  it('is given the origin, names in lower case and no time limits', async () => {
    const dispatcher = new HeldExchanges();
    const peers = clientOf(dispatcher).getPeers();
    await expect.poll(() => dispatcher.requests).toHaveLength(1);
    dispatcher.respond(0, 200, []);
    expect(await peers).toEqual([]);
    const [request] = dispatcher.requests;
    expect(request).toMatchObject({
      origin: PLATFORM,
      method: 'GET',
      body: null,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const names = request?.headers.filter((_, at) => at % 2 === 0) ?? [];
    expect(names).toContain('authorization');
    expect(names).toEqual(names.map((name) => name.toLowerCase()));
  });

  it('may throw: the request was not sent', async () => {
    const dispatcher = {
      dispatch(): boolean {
        throw new Error('out of order');
      },
    };
    const failed = { code: 'connection_failed', delivered: 'no' };
    await expect(clientOf(dispatcher).callPeer(PEER, 'hello')).rejects.toMatchObject(failed);
  });

  it.each([[new HttpsAgent()], [null], [() => true], ['http://proxy:3128']])('cannot be %s', (dispatcher) => {
    const connection = { platformUrl: PLATFORM, dispatcher: dispatcher as unknown as RequestDispatcher };
    const refused = { code: 'configuration_invalid', message: expect.stringContaining('dispatcher') };
    for (const create of [
      () => new RemoteAgentClient({ ...connection, workspaceId: SELF, authToken: TOKEN }),
      () => new OperatorClient({ ...connection, operatorKey: OPERATOR_KEY }),
    ]) {
      expect(create).toThrow(expect.objectContaining(refused));
    }
  });
});
