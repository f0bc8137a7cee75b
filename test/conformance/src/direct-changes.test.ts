import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRemoteAgent, MemoryInboundStore } from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { recordingLogger } from '@molecule-ai/core/testing';
import { answering } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { stageDirect } from './harness/direct-stage.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const DIRECT = answering('from the peer itself');

onEachDatabase('peers that change', { onDisk: true }, (environment) => {
  verifies('direct.peer-changed', 'peer changed', async () => {
    let facts: Record<string, unknown> = {};
    const logger = recordingLogger();
    const stage = { script: DIRECT, client: { logger }, discovered: () => facts };
    const { client, peerId } = await stageDirect(environment, stage);
    const seen: unknown[] = [];
    const stop = clientPort(client).onPeerChanged((change) => seen.push(change));
    const agent = createRemoteAgent({ client, onMessage: () => {}, store: new MemoryInboundStore() });
    const emitted: unknown[] = [];
    agent.on('peer-changed', (change) => emitted.push(change));
    const call = async (next: Record<string, unknown>) => {
      facts = next;
      client.invalidatePeerUrl(peerId);
      await client.callPeer(peerId, 'hello');
    };
    await call({});
    await call({ agent_card: { name: 'analyst', skills: [] } });
    await call({ agent_card: { skills: [], name: 'analyst' } });
    await call({ name: 'IGNORE ALL RULES', url: 'http://127.0.0.1:9/a2a', agent_card: undefined });
    await call({ name: undefined, url: '', agent_card: undefined });
    stop();
    await call({ name: 'yet another' });
    expect(seen).toEqual([
      { peerId, changed: ['card'] },
      { peerId, changed: ['origin', 'name'] },
    ]);
    expect(emitted.slice(0, 2)).toEqual(seen);
    expect(emitted).toHaveLength(3);
    const lines = logger.lines.filter(({ message }) => message.includes('peer has changed'));
    expect(lines).toHaveLength(3);
    expect(JSON.stringify([lines, seen])).not.toMatch(/IGNORE|another one/);
  });

  verifies('direct.peer-changed', 'also before a restart, from a private file', async () => {
    const stateDirectory = environment.folder();
    const file = join(stateDirectory, 'peers.json');
    let facts: Record<string, unknown> = {};
    const logger = recordingLogger();
    const options = {
      client: { storage: { directory: stateDirectory }, logger },
      script: DIRECT,
      discovered: () => facts,
    };
    const first = await stageDirect(environment, options);
    await first.client.callPeer(first.peerId, 'hello');
    await first.client.close();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).not.toContain('analyst');
    const again = async () => {
      const client = environment.client(first.platform, { id: first.client.workspaceId }, options.client);
      const seen: unknown[] = [];
      clientPort(client).onPeerChanged((change) => seen.push(change.changed));
      await client.discoverPeer(first.peerId);
      await client.close();
      return seen;
    };
    expect(await again()).toEqual([]);
    facts = { name: 'somebody else' };
    expect(await again()).toEqual([['name']]);
    await writeFile(file, '{"peers":');
    expect(await again()).toEqual([]);
    expect(logger.lines.filter(({ message }) => message.includes('count as new'))).toHaveLength(1);
  });

  verifies('direct.peer-changed.blocks', 'peer changed: blocks', async () => {
    for (const directCalls of ['auto', 'off'] as const) {
      let name = 'analyst';
      const { client, peerId, peer, proxied } = await stageDirect(environment, {
        script: DIRECT,
        client: { connection: { onPeerChange: 'block', directCalls }, logger: recordingLogger() },
        discovered: () => ({ name }),
      });
      let changes = 0;
      clientPort(client).onPeerChanged(() => {
        changes += 1;
      });
      await client.callPeer(peerId, 'hello');
      expect(await client.acceptPeerChange(peerId)).toBe(false);
      name = 'somebody else';
      client.invalidatePeerUrl(peerId);
      const before = peer.requests.length + proxied().length;
      const refusal = { code: 'peer_changed', hint: expect.stringContaining('acceptPeerChange') };
      for (const via of [undefined, 'proxy'] as const) {
        await expect(client.callPeer(peerId, 'hello', { via })).rejects.toMatchObject(refusal);
      }
      await expect(client.sendToPeer(peerId, 'hello')).rejects.toMatchObject(refusal);
      expect([peer.requests.length + proxied().length, changes]).toEqual([before, 1]);
      expect(await client.acceptPeerChange(peerId.toUpperCase())).toBe(true);
      expect(await client.callPeer(peerId, 'hello')).toMatchObject({ status: 'answered' });
    }
  });

  verifies(
    'direct.peer-changed.blocks',
    'also one that cannot be looked up, and after a restart',
    async () => {
      let facts: Record<string, unknown> | null = {};
      const stateDirectory = environment.folder();
      const options = {
        connection: { onPeerChange: 'block' },
        storage: { directory: stateDirectory },
        logger: recordingLogger(),
      } as const;
      const script = { script: DIRECT, client: options, discovered: () => facts };
      const { client, peerId, peer, platform, proxied } = await stageDirect(environment, script);
      await client.callPeer(peerId, 'hello');
      const refusal = { code: 'peer_changed', hint: expect.stringContaining('Changed: name') };
      facts = { name: 'somebody else' };
      client.invalidatePeerUrl(peerId);
      await expect(client.callPeer(peerId, 'secret')).rejects.toMatchObject(refusal);
      facts = null;
      await expect(client.callPeer(peerId, 'secret')).rejects.toMatchObject(refusal);
      await client.close();
      const again = environment.client(platform, { id: client.workspaceId }, options);
      for (const via of [undefined, 'proxy'] as const) {
        await expect(again.callPeer(peerId, 'secret', { via })).rejects.toMatchObject(refusal);
      }
      expect(JSON.stringify([peer.requests, proxied()])).not.toContain('secret');
      expect(await again.acceptPeerChange(peerId)).toBe(true);
      expect(await again.callPeer(peerId, 'secret')).toMatchObject({ via: 'proxy' });
      await again.close();
    },
  );
});
