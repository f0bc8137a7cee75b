import { type AgentScript, answering, ManualClock } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { type DirectStage, messageIdOf, stageDirect } from './harness/direct-stage.ts';
import { startSelfSignedServer } from './harness/self-signed-server.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const DIRECT = answering('from the peer itself');

/** The message was sent to the peer, and once more through the platform. */
async function expectSecondPath(stage: DirectStage, messageId: string): Promise<void> {
  const reply = await stage.client.callPeer(stage.peerId, 'hello', { messageId });
  expect(reply).toMatchObject({ via: 'proxy', status: 'answered', text: 'through the platform', messageId });
  expect(
    stage
      .proxied()
      .map(messageIdOf)
      .filter((id) => id === messageId),
  ).toHaveLength(1);
}

onEachDatabase('direct calls that fail', { onDisk: true }, (environment) => {
  const doubtful: readonly [string, AgentScript][] = [
    ['hang-up', () => ({ kind: 'hang-up' })],
    ['500', () => ({ kind: 'json', status: 500, body: { error: 'broken' } })],
    ['502', () => ({ kind: 'text', status: 502, text: '<html>', type: 'text/html' })],
    ['web page', () => ({ kind: 'text', text: '<html>welcome</html>', type: 'text/html' })],
    ['no JSON-RPC', () => ({ kind: 'json', body: { hello: 'world' } })],
    ['cut', () => ({ kind: 'text', text: '{"jsonrpc":"2.0","resu', type: 'application/json' })],
  ];

  verifies('client.no-repeats', 'with a peer token it goes through the platform', async () => {
    for (const [name, script] of doubtful) {
      const stage = await stageDirect(environment, { script });
      await expectSecondPath(stage, `m-${name}`);
      expect(stage.peer.requests).toHaveLength(1);
    }
  });

  verifies('client.no-repeats', 'without one the call fails and nothing is sent again', async () => {
    for (const [, script] of doubtful) {
      const stage = await stageDirect(environment, {
        script,
        client: { connection: { directCalls: 'always' } },
        discovered: () => ({ peer_token: undefined, peer_token_expires_at: undefined }),
      });
      await expect(stage.client.callPeer(stage.peerId, 'hello')).rejects.toMatchObject({
        code: 'connection_failed',
        delivered: 'unknown',
        isRetryable: false,
        hint: expect.stringContaining('not sent again'),
      });
      expect([stage.peer.requests.length, stage.proxied().length]).toEqual([1, 0]);
    }
  });

  verifies('direct.falls-back', 'slow peer', async () => {
    for (const kind of ['never', 'stall', 'drip'] as const) {
      const clock = new ManualClock(Date.now());
      const stage = await stageDirect(environment, {
        script: () => ({ kind }),
        client: { connection: { clock } },
      });
      let isOver = false;
      const call = expectSecondPath(stage, `m-${kind}`).finally(() => {
        isOver = true;
      });
      await stage.peer.received(1);
      const before = clock.monotonic();
      await clock.advanceUntil(() => isOver, { limitMs: 30_000, stepMs: 500 });
      await call;
      expect(clock.monotonic() - before).toBeLessThanOrEqual(28_000);
    }
  });

  verifies('answers.too-large-fails', 'answer limits', async () => {
    const stage = await stageDirect(environment, { script: () => ({ kind: 'huge' }) });
    const huge = await stage.client.callPeer(stage.peerId, 'hello');
    expect(huge).toMatchObject({ status: 'failed', code: 'agent_answer_too_large', via: 'direct' });
    const texts = [
      `{"jsonrpc":"2.0","result":[${'1,'.repeat(60_000)}1]}`,
      `{"result":${'['.repeat(80)}${']'.repeat(80)}}`,
    ];
    for (const text of texts) {
      stage.peer.react(() => ({ kind: 'text', text, type: 'application/json' }));
      const complex = await stage.client.callPeer(stage.peerId, 'hello');
      expect(complex).toMatchObject({ status: 'failed', code: 'agent_answer_invalid', via: 'direct' });
    }
    expect(stage.proxied()).toEqual([]);
  });

  verifies('direct.addresses', 'no redirect', async () => {
    const thief = await environment.scriptedAgent({ script: DIRECT });
    const stage = await stageDirect(environment, {
      script: () => ({ kind: 'redirect', to: `${thief.url}/steal` }),
    });
    await expectSecondPath(stage, 'm-1');
    expect(thief.requests).toEqual([]);
  });

  verifies('direct.addresses', 'addresses', async () => {
    for (const url of [
      'http://169.254.169.254/a2a',
      'http://[fe80::1]/a2a',
      'http://metadata.google.internal.invalid/a2a',
      'http://user:secret@127.0.0.1:9/a2a',
      'http://0.0.0.0:9/a2a',
    ]) {
      const refused = await stageDirect(environment, { script: DIRECT, discovered: () => ({ url }) });
      await expectSecondPath(refused, 'm-1');
      expect(refused.peer.requests).toEqual([]);
    }
  });

  verifies('direct.addresses', 'tls', async () => {
    const server = await startSelfSignedServer((stop) => environment.onCleanup(stop));
    const url = `${server.url}/a2a`;
    const stage = await stageDirect(environment, { script: DIRECT, discovered: () => ({ url }) });
    await expectSecondPath(stage, 'm-1');
    const plain = () => ({ url: stage.peer.url.replace('http:', 'https:') });
    await expectSecondPath(await stageDirect(environment, { script: DIRECT, discovered: plain }), 'm-2');
    expect([server.requests(), stage.peer.requests.length]).toEqual([0, 0]);
  });
});
