import { describe, expect, it } from 'vitest';
import { NEWER_TOKEN, SELF, TOKEN } from '../../test/agent-ids.ts';
import type { ScriptedResponse } from '../../test/scripted-server.ts';
import { CountingTokenStore, stage } from '../../test/test-client.ts';

/** Refuses the old token. */
const onlyNewer: ScriptedResponse = ({ headers }, response) => {
  response.writeHead(headers.authorization === `Bearer ${NEWER_TOKEN}` ? 200 : 401);
  response.end();
};
const issued = { status: 'registered', auth_token: TOKEN };

describe('the token of a client', () => {
  it('is read once for concurrent calls, and redacted in logs', async () => {
    const tokenStore = new CountingTokenStore(TOKEN);
    await using s = await stage([], { storage: { tokenStore } });
    const { port } = s;
    await Promise.all([port.currentToken(), port.currentToken(), port.currentToken()]);
    expect([await port.currentToken(), tokenStore.loads]).toEqual([TOKEN, 1]);
    port.logger.info({ note: TOKEN }, `The token is ${TOKEN}.`);
    expect(s.logger.lines).toHaveLength(1);
    expect(JSON.stringify(s.logger.lines)).not.toContain(TOKEN);
  });

  it('is read again after the store failed', async () => {
    await using s = await stage([], { storage: { tokenStore: new CountingTokenStore(TOKEN, 1) } });
    await expect(s.port.currentToken()).rejects.toThrow('unreadable');
    expect(await s.port.currentToken()).toBe(TOKEN);
  });

  it('refused, with no other one in the store: an error', async () => {
    const tokenStore = new CountingTokenStore(TOKEN);
    await using s = await stage(onlyNewer, { storage: { tokenStore } });
    await expect(s.client.fetchInbound()).rejects.toMatchObject({ code: 'unauthorized' });
    expect([s.server.requests.length, tokenStore.loads]).toEqual([1, 2]);
  });

  it('refused for two requests at once: the store is read once, and both use the newer one', async () => {
    const tokenStore = new CountingTokenStore(TOKEN);
    await using s = await stage(onlyNewer, { storage: { tokenStore }, limits: { maxConnections: 1 } });
    await s.port.currentToken();
    await tokenStore.save(NEWER_TOKEN);
    s.server.routes.set(`GET /workspaces/${SELF}`, { body: { id: SELF } });
    tokenStore.loads = 0;
    const reading = Promise.withResolvers<void>();
    const load = tokenStore.load.bind(tokenStore);
    tokenStore.load = async () => {
      await reading.promise;
      return load();
    };
    const refused = [s.client.fetchInbound(), s.client.fetchInbound()];
    // On the one connection, a later response arrives when both have been refused.
    await s.server.waitForRequests(2);
    expect(await s.client.getWorkspace()).toMatchObject({ id: SELF });
    reading.resolve();
    expect(await Promise.all(refused)).toEqual([[], []]);
    expect(tokenStore.loads).toBe(1);
  });

  it('refused after another request has renewed it: the store is not read again', async () => {
    const tokenStore = new CountingTokenStore(TOKEN);
    await using s = await stage(onlyNewer, { storage: { tokenStore } });
    await s.port.currentToken();
    await tokenStore.save(NEWER_TOKEN);
    let refuse = (): void => {};
    s.server.script((_request, response) => {
      refuse = () => response.writeHead(401).end();
    }, onlyNewer);
    const late = s.client.fetchInbound();
    await s.server.waitForRequests(1);
    expect(await s.client.fetchInbound()).toEqual([]);
    tokenStore.loads = 0;
    refuse();
    expect(await late).toEqual([]);
    expect(tokenStore.loads).toBe(0);
  });

  it('refused when the store cannot be read: an error, and a warning', async () => {
    const tokenStore = new CountingTokenStore(undefined, 9);
    await using s = await stage(onlyNewer, { storage: { tokenStore }, authToken: TOKEN });
    await expect(s.client.fetchInbound()).rejects.toMatchObject({ code: 'unauthorized' });
    expect(s.logger.messages('warn')).toEqual(['The token store could not be read again.']);
  });

  it('issued by the platform is used even if it cannot be stored', async () => {
    const tokenStore = new CountingTokenStore();
    tokenStore.save = () => Promise.reject(new Error('read-only'));
    await using s = await stage({ body: issued }, { storage: { tokenStore } });
    await expect(s.client.register()).rejects.toThrow('read-only');
    expect(await s.port.currentToken()).toBe(TOKEN);
    await s.client.heartbeat();
    expect(s.server.last.headers.authorization).toBe(`Bearer ${TOKEN}`);
  });
});
