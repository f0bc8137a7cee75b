import { Agent as HttpsAgent } from 'node:https';
import { Agent, MockAgent, ProxyAgent } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { PEER, SELF, TOKEN } from '../../test/agent-ids.ts';
import { OPERATOR_KEY, operatorStage, stage } from '../../test/test-client.ts';
import type { DispatchController, DispatchedRequest, DispatchHandler, RequestDispatcher } from '../index.ts';
import { OperatorClient } from '../operator.ts';
import { RemoteAgentClient } from '../remote-agent-client/remote-agent-client.ts';

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
    dispatcher,
    maxRetries: 0,
  });
  onTestFinished(() => client.close());
  return client;
}

describe('the option dispatcher', () => {
  it('takes an Agent of undici, which stays usable when the clients are closed', async () => {
    const dispatcher = new Agent({ connections: 1 });
    onTestFinished(() => dispatcher.close());
    await using s = await stage({ body: [] }, { dispatcher });
    await s.client.getPeers();
    await s.client.callPeer(PEER, 'hello');
    await s.client.close();
    await using o = await operatorStage({ body: [] }, { dispatcher });
    expect(await o.client.listWorkspaces()).toEqual([]);
    await o.client.close();
    const { statusCode, body } = await dispatcher.request({ origin: s.server.url, path: '/', method: 'GET' });
    await body.dump();
    expect([statusCode, dispatcher.closed, dispatcher.destroyed]).toEqual([200, false, false]);
    expect(s.server.requests.map(({ headers }) => headers.authorization)).toEqual([
      `Bearer ${TOKEN}`,
      `Bearer ${TOKEN}`,
      undefined,
    ]);
    expect(o.server.last.headers.authorization).toBe(`Bearer ${OPERATOR_KEY}`);
  });

  it('takes a ProxyAgent', async () => {
    await using s = await stage({ body: [] });
    const proxyUrl = s.server.url;
    const options = { workspaceId: SELF, platformUrl: PLATFORM, authToken: TOKEN };
    const dispatcher = new ProxyAgent(proxyUrl);
    const client = new RemoteAgentClient({ ...options, dispatcher });
    const peers = await client.getPeers();
    await client.close();
    await dispatcher.close();
    expect(peers).toEqual([]);
    expect(s.server.last.headers).toMatchObject({ host: 'platform.test', authorization: `Bearer ${TOKEN}` });
  });

  it('takes a MockAgent', async () => {
    const dispatcher = new MockAgent();
    onTestFinished(() => dispatcher.close());
    dispatcher.disableNetConnect();
    const path = `/base/registry/${SELF}/peers`;
    dispatcher.get(PLATFORM).intercept({ path }).reply(200, []);
    const client = clientOf(dispatcher);
    expect(await client.getPeers()).toEqual([]);
    await expect(client.getPeers()).rejects.toMatchObject({ code: 'connection_failed' });
  });

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

  it('is used for streams too', async () => {
    const dispatcher = new HeldExchanges();
    const stream = clientOf(dispatcher).streamPeer(PEER, 'hello', { signal: AbortSignal.timeout(15_000) });
    const reading = stream.reply();
    const refused = expect(reading).rejects.toMatchObject({ code: 'access_denied' });
    await expect.poll(() => dispatcher.requests).toHaveLength(1);
    dispatcher.respond(0, 200, { status: 'ok' });
    await expect.poll(() => dispatcher.requests).toHaveLength(2);
    expect(JSON.parse(dispatcher.requests[1]?.body ?? '')).toMatchObject({ method: 'message/stream' });
    dispatcher.respond(1, 403, { error: 'not allowed' });
    await refused;
  });

  it('gets its pending exchanges aborted when the client is closed, and nothing after that', async () => {
    const dispatcher = new HeldExchanges();
    const client = clientOf(dispatcher);
    const pending = [client.getPeers(), client.fetchInbound()].map((request) =>
      request.then(
        () => 'resolved',
        ({ code }) => code,
      ),
    );
    await expect.poll(() => dispatcher.requests).toHaveLength(2);
    await client.close();
    expect(await Promise.all(pending)).toEqual(['client_closed', 'client_closed']);
    expect(dispatcher.aborted).toHaveLength(2);
    await expect(client.getPeers()).rejects.toMatchObject({ code: 'client_closed' });
    expect(dispatcher.requests).toHaveLength(2);
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
