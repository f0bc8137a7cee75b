import { recordingLogger } from '@molecule-ai/core/testing';
import { answering, ManualClock } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { messageIdOf, stageDirect } from './harness/direct-stage.ts';
import { startSilentServer } from './harness/silent-server.ts';
import { decideNames } from './harness/system-names.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const DIRECT = answering('from the peer itself');
const NAME = 'peer.example.test';

onEachDatabase('direct calls over a failing network', { onDisk: true }, (environment) => {
  verifies('direct.falls-back', 'half open', async () => {
    const clock = new ManualClock(Date.now());
    const silent = await startSilentServer((stop) => environment.onCleanup(stop));
    let url: string | undefined;
    const stage = await stageDirect(environment, {
      script: DIRECT,
      client: { connection: { clock } },
      discovered: () => (url === undefined ? {} : { url }),
    });
    const { client, peerId, peer, proxied } = stage;
    const callOnClock = async (messageId: string, text: string) => {
      let isOver = false;
      const call = client.callPeer(peerId, text, { messageId }).finally(() => {
        isOver = true;
      });
      const before = clock.monotonic();
      await clock.advanceUntil(() => isOver, { limitMs: 30_000, stepMs: 500 });
      expect(clock.monotonic() - before).toBeLessThanOrEqual(28_000);
      return call;
    };
    expect(await callOnClock('m-0', 'hello')).toMatchObject({ via: 'direct' });
    // On the connection that was just used, and then on new ones that take no byte of a large request.
    peer.react(() => ({ kind: 'never' }));
    expect(await callOnClock('m-1', 'hello')).toMatchObject({ via: 'proxy', status: 'answered' });
    url = `${silent.url}/a2a`;
    client.invalidatePeerUrl(peerId);
    const large = await callOnClock('m-2', 'x'.repeat(900_000));
    expect(large).toMatchObject({ via: 'proxy', status: 'answered' });
    expect(silent.connections()).toBe(1);
    expect(proxied().map(messageIdOf)).toEqual(['m-1', 'm-2']);
  });

  verifies('direct.addresses', 'names that change', async () => {
    let found: { address: string } | string = { address: '127.0.0.1' };
    environment.onCleanup(decideNames(new Map([[NAME, () => found]])));
    const closing =
      (text: string): typeof DIRECT =>
      async (request, count) => {
        const reaction = await answering(text)(request, count);
        // The next call connects again.
        return reaction.kind === 'json' ? { ...reaction, headers: { connection: 'close' } } : reaction;
      };
    let port = 0;
    const stage = await stageDirect(environment, {
      script: closing('from the peer itself'),
      discovered: () => ({ url: `http://${NAME}:${port}/a2a` }),
    });
    const { client, peerId, peer } = stage;
    port = peer.port;
    const call = async (next: typeof found) => {
      found = next;
      client.invalidatePeerUrl(peerId);
      return (await client.callPeer(peerId, 'hello')).via;
    };
    expect(await call({ address: '127.0.0.1' })).toBe('direct');
    const refused = ['169.254.169.254', '0.0.0.0', '224.0.0.1'].map((address) => ({ address }));
    for (const each of [...refused, 'ENOTFOUND', 'EAI_AGAIN']) expect(await call(each)).toBe('proxy');
    expect(await call({ address: '127.0.0.1' })).toBe('direct');
    // Between the discovery and the connection: the name is resolved when it is used.
    await client.discoverPeer(peerId);
    found = { address: '169.254.169.254' };
    expect((await client.callPeer(peerId, 'hello')).via).toBe('proxy');
    expect(peer.requests).toHaveLength(2);
  });

  verifies('direct.says-why-not', 'says why not', async () => {
    const log = recordingLogger();
    let facts: Record<string, unknown> = {};
    const status = 404;
    const { client, peerId } = await stageDirect(environment, {
      script: () => ({ kind: 'json', status, body: {} }),
      discovered: () => facts,
      client: { logger: log },
    });
    const reasonOf = async (messageId: string, next?: Record<string, unknown>): Promise<unknown> => {
      // What is known of the peer, also that a call to it failed.
      if (next !== undefined) client.invalidatePeerUrl(peerId);
      facts = next ?? facts;
      expect((await client.callPeer(peerId, 'hello', { messageId })).via).toBe('proxy');
      const lines = log.lines.filter(
        ({ level, fields }) => level === 'debug' && fields.messageId === messageId,
      );
      return lines.map(({ fields }) => fields);
    };
    expect(await reasonOf('m-1', { url: '' })).toMatchObject([{ peerId, reason: 'no_url' }]);
    expect(await reasonOf('m-2', { peer_token: undefined })).toMatchObject([{ peerId, reason: 'no_token' }]);
    expect(await reasonOf('m-3', {})).toMatchObject([{ peerId, outcome: 'not-accepted', status }]);
    expect(await reasonOf('m-4')).toMatchObject([{ peerId, reason: 'failed_before' }]);
  });

  verifies('direct.says-why-not', 'says why not', async () => {
    const log = recordingLogger();
    const { client, peerId } = await stageDirect(environment, {
      script: DIRECT,
      discovered: () => ({ url: 'http://127.0.0.1:9/a2a' }),
      client: { logger: log },
    });
    await client.callPeer(peerId, 'hello', { messageId: 'm-1' });
    const [line] = log.lines.filter(({ fields }) => fields.outcome === 'not-sent');
    expect(line?.fields.error).toMatchObject({ message: expect.stringContaining('ECONNREFUSED') });
  });
});
