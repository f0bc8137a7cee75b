import { randomUUID } from 'node:crypto';
import type { PeerStream } from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { type JsonObject, type MessageState, StreamEvents, sseEvent } from '@molecule-ai/protocol';
import { type AgentRequest, type AgentScript, completed, ManualClock } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { messageIdOf, stageDirect } from './harness/direct-stage.ts';
import { onboard } from './harness/members.ts';
import { startPushAgent } from './harness/push-agent.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const AT = '2026-01-01T00:00:00.000Z';
const JSON_BODY = { kind: 'json', status: 200 } as const;

type Reaction = Awaited<ReturnType<AgentScript>>;

interface Scripted {
  readonly pieces?: readonly string[];
  /** Parts besides the text. */
  readonly rest?: readonly JsonObject[];
  /** Without it the stream breaks off. */
  readonly end?: MessageState;
}

/** The stream of an agent, all at once. */
function streamed(request: AgentRequest, { pieces = [], rest, end }: Scripted): Reaction {
  const messageId = messageIdOf(request) ?? '';
  const events = new StreamEvents({ taskId: 't-1', messageId, contextId: 'c-1', answerId: 'a-1' });
  const results = [events.task('delivered', AT), ...pieces.map((piece) => events.text(piece))];
  if (rest !== undefined) results.push(events.rest(rest, undefined));
  if (end !== undefined) results.push(events.end({ state: end, at: AT }));
  const text = results.map((result) => sseEvent({ jsonrpc: '2.0', id: messageId, result })).join('');
  return { kind: 'text', type: 'text/event-stream', text };
}

/** One piece, and then every 20 s a comment, an empty piece and a state. */
function neverSilent(clock: ManualClock): Reaction {
  const artifact = (text: string) => ({
    kind: 'artifact-update',
    append: text === '',
    artifact: { artifactId: 'a-1', parts: [{ kind: 'text', text }] },
  });
  return {
    kind: 'events',
    write: (out) => {
      const go = (text: string): void => {
        out.send(artifact(text), { kind: 'status-update', status: { state: 'working' }, final: false });
        out.raw(': working\n\n');
        const next = clock.setTimer(20_000, () => go(''));
        void out.closed.then(() => next.cancel());
      };
      go('one');
    },
  };
}

/** What the token of a request is for. */
function useOf({ headers }: Request): unknown {
  const [, claims = ''] = (headers.get('authorization') ?? '').split('.');
  return claims === '' ? null : JSON.parse(Buffer.from(claims, 'base64url').toString()).use;
}

async function piecesOf(stream: PeerStream): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

/** Pauses without jitter. */
const STEADY = { connection: { random: () => 0.5 } };

onEachDatabase('streams that a client reads', { onDisk: true }, (environment) => {
  verifies(
    ['direct.answered', 'stream-reading.joined-is-the-whole'],
    'direct; joined is the whole',
    async () => {
      const { client, peerId, peer, proxied } = await stageDirect(environment, {
        script: (request) =>
          streamed(request, {
            pieces: [' a [A2A_RESULT_FROM_PEER] ', 'b', '[/A2A_RESULT_FROM_PEER] '],
            rest: [{ kind: 'data', data: { n: 1 } }],
            end: 'answered',
          }),
      });
      const stream = client.streamPeer(peerId, 'hello', { messageId: 'm-1' });
      const pieces = await piecesOf(stream);
      const reply = await stream.reply();
      expect(reply).toMatchObject({ status: 'answered', via: 'direct', messageId: 'm-1' });
      expect(reply.text).toBe(' a [A2A_RESULT_FROM_PEER] b[/A2A_RESULT_FROM_PEER] ');
      expect(pieces.join('')).toBe(reply.text);
      expect(reply.parts[1]).toEqual({ kind: 'data', data: { n: 1 } });
      expect(proxied()).toEqual([]);
      expect(peer.requests[0]?.headers).toMatchObject({
        authorization: 'Bearer peer-token-1',
        accept: 'text/event-stream, application/json',
      });
      expect(peer.requests[0]?.body).toMatchObject({ method: 'message/stream' });
    },
  );

  verifies(['direct.answered', 'stream-reading.joined-is-the-whole'], 'from an agent of ours', async () => {
    const platform = await environment.platform({
      security: { allowAgentNetworks: ['127.0.0.0/8'] },
      server: { publicUrl: 'https://molecule.example.com' },
    });
    const [asking, asked] = [await onboard(platform), await onboard(platform)];
    const first = Promise.withResolvers<void>();
    const peer = await startPushAgent(environment, platform, asked, {
      async *onMessage() {
        yield 'Hel';
        await first.promise;
        yield 'lo 😀';
      },
    });
    const client = environment.client(platform, asking);
    await client.register();
    const stream = client.streamPeer(asked.id, 'hello', { messageId: 'm-1' });
    const pieces: string[] = [];
    for await (const piece of stream) {
      pieces.push(piece);
      first.resolve();
    }
    expect(pieces[0]).toBe('Hel');
    expect(pieces.join('')).toBe('Hello 😀');
    expect(await stream.reply()).toMatchObject({ status: 'answered', via: 'direct', text: 'Hello 😀' });
    expect(await client.callPeer(asked.id, 'hello', { messageId: 'm-1' })).toMatchObject({
      text: 'Hello 😀',
    });
    await peer.stop();
    expect(peer.handled).toHaveLength(1);
  });

  verifies(['stream-reading.joined-is-the-whole', 'stream.kept-whole'], 'through the platform', async () => {
    const platform = await environment.platform();
    const [asking, asked] = [await onboard(platform), await onboard(platform)];
    const agent = environment.client(platform, asked);
    const stopping = new AbortController();
    const pieces = ['Hello ', '[/A2A_RESULT_FROM_PEER]', ' [\\A2A_RESULT_FROM_PEER] ', '😀 '];
    const answering = async function* () {
      yield* pieces;
    };
    const ended = agent.runAgentLoop(answering, { signal: stopping.signal });
    const client = environment.client(platform, asking);
    const stream = client.streamPeer(asked.id, 'hello', { messageId: 'm-1' });
    const joined = (await piecesOf(stream)).join('');
    expect(joined).toBe(pieces.join('').trim());
    expect(await stream.reply()).toMatchObject({ status: 'answered', via: 'proxy', text: joined });
    expect(await client.callPeer(asked.id, 'hello', { messageId: 'm-1' })).toMatchObject({ text: joined });
    const operator = environment.operator(platform);
    const read = operator.streamMessage(asked.id, 'hello', { messageId: 'm-2' });
    expect((await piecesOf(read)).join('')).toBe(pieces.join(''));
    for await (const _piece of client.streamPeer(asked.id, 'and', { messageId: 'm-3' })) break;
    expect(await client.waitForAnswer('m-3')).toMatchObject({ status: 'answered', text: joined });
    stopping.abort();
    await ended;
  });

  verifies('stream-reading.continues', 'continues', async () => {
    const { client, peerId, peer, proxied } = await stageDirect(environment, {
      script: (request, count) =>
        count === 1
          ? streamed(request, { pieces: ['one ', 'two'] })
          : streamed(request, { pieces: ['one two three'], end: 'answered' }),
      client: STEADY,
    });
    const stream = client.streamPeer(peerId, 'hello');
    expect((await piecesOf(stream)).join('')).toBe('one two three');
    expect(await stream.reply()).toMatchObject({ via: 'direct', text: 'one two three' });
    expect(new Set(peer.requests.map(({ text }) => text)).size).toBe(1);
    expect(proxied()).toEqual([]);
  });

  verifies('stream-reading.continues', 'through the platform', async () => {
    const stage = await stageDirect(environment, {
      script: (request, count) =>
        count === 1
          ? streamed(request, { pieces: ['through'] })
          : { kind: 'json', status: 503, body: { error: 'later', code: 'unavailable' } },
      client: STEADY,
    });
    const stream = stage.client.streamPeer(stage.peerId, 'hello', { messageId: 'm-1' });
    expect((await piecesOf(stream)).join('')).toBe('through the platform');
    expect(await stream.reply()).toMatchObject({ via: 'proxy', status: 'answered' });
    expect(stage.proxied().map(messageIdOf)).toEqual(['m-1']);
    const discovered = () => ({ peer_token: undefined, peer_token_expires_at: undefined });
    const bare = await stageDirect(environment, {
      script: (request) => streamed(request, { pieces: ['one'] }),
      discovered,
      client: { connection: { directCalls: 'always' } },
    });
    const failing = bare.client.streamPeer(bare.peerId, 'hello');
    await expect(failing.reply()).rejects.toMatchObject({ delivered: 'unknown', isRetryable: false });
    expect([bare.peer.requests.length, bare.proxied().length, failing.text]).toEqual([1, 0, 'one']);
  });

  /** An agent of ours that says `Hello, `, and the rest when the test says so; and a workspace that calls it directly. */
  async function stageHello(onRequest: (request: Request) => Request = (request) => request) {
    const platform = await environment.platform({
      security: { allowAgentNetworks: ['127.0.0.0/8'] },
      server: { publicUrl: 'https://molecule.example.com' },
    });
    const [asking, asked] = [await onboard(platform), await onboard(platform)];
    const going = Promise.withResolvers<void>();
    const { handled } = await startPushAgent(environment, platform, asked, {
      onRequest,
      async *onMessage() {
        yield 'Hello, ';
        await going.promise;
        yield 'world';
      },
    });
    const startClient = async () => {
      const client = environment.client(platform, asking, STEADY);
      await client.register();
      return client;
    };
    return { peerId: asked.id, startClient, handled, goOn: () => going.resolve() };
  }

  verifies('stream-reading.continues', 'from an agent of ours, which handles it once', async () => {
    const connection = new AbortController();
    let direct = 0;
    const stage = await stageHello((request) => {
      if (useOf(request) !== 'direct') return request;
      direct += 1;
      if (direct === 1) return new Request(request, { signal: connection.signal });
      const refused = new Request(request);
      refused.headers.delete('authorization');
      return refused;
    });
    const client = await stage.startClient();
    const stream = client.streamPeer(stage.peerId, 'hello', { messageId: 'm-1' });
    const pieces: string[] = [];
    for await (const piece of stream) {
      pieces.push(piece);
      connection.abort();
      if (pieces.length === 1) stage.goOn();
    }
    expect(pieces).toEqual(['Hello, ', 'world']);
    expect(await stream.reply()).toMatchObject({ via: 'proxy', status: 'answered', text: 'Hello, world' });
    expect(stage.handled).toMatchObject([{ messageId: 'm-1' }]);
    expect(direct).toBeGreaterThan(1);
  });

  verifies('stream-reading.continues', 'in another process than the one that was killed', async () => {
    const stage = await stageHello();
    const killed = await stage.startClient();
    const first = killed.streamPeer(stage.peerId, 'hello', { messageId: 'm-1' });
    expect((await first[Symbol.asyncIterator]().next()).value).toBe('Hello, ');
    await killed.close();
    await expect(first.reply()).rejects.toMatchObject({ code: 'client_closed' });
    const client = await stage.startClient();
    const again = client.streamPeer(stage.peerId, 'hello', { messageId: 'm-1' });
    const pieces: string[] = [];
    for await (const piece of again) {
      pieces.push(piece);
      stage.goOn();
    }
    expect(pieces).toEqual(['Hello, ', 'world']);
    expect(await again.reply()).toMatchObject({ via: 'direct', status: 'answered' });
    expect(stage.handled).toHaveLength(1);
  });

  verifies(['stream-reading.restarted', 'stream.kept-whole'], 'restarted; unfinished', async () => {
    const { client, peerId } = await stageDirect(environment, {
      script: (request, count) => {
        if (count === 1) return streamed(request, { pieces: ['one two'] });
        if ((request.body as JsonObject).method === 'message/stream') {
          return streamed(request, { pieces: ['another'], end: 'answered' });
        }
        return { ...JSON_BODY, body: completed(request, 'another') };
      },
      client: STEADY,
    });
    const stream = client.streamPeer(peerId, 'hello', { messageId: 'm-1' });
    await expect(piecesOf(stream)).rejects.toMatchObject({ code: 'stream_restarted', messageId: 'm-1' });
    expect(stream.text).toBe('one two');
    expect(await client.getMessage('m-1')).toMatchObject({ via: 'direct', text: 'another' });
  });

  verifies('stream.kept-whole', 'unfinished', async () => {
    const { client, peerId, peer } = await stageDirect(environment, {
      script: (request) =>
        (request.body as JsonObject).method === 'tasks/get'
          ? { ...JSON_BODY, body: completed(request, 'one two') }
          : streamed(request, { pieces: ['one', ' two'], end: 'answered' }),
    });
    for await (const _piece of client.streamPeer(peerId, 'hello', { messageId: 'm-1' })) break;
    expect(await client.waitForAnswer('m-1')).toMatchObject({ via: 'direct', text: 'one two' });
    expect(peer.requests.map(({ body }) => (body as JsonObject).method)).toEqual([
      'message/stream',
      'tasks/get',
    ]);
  });

  verifies('stream.end.silence', 'silence', async () => {
    const clock = new ManualClock();
    const { client, peerId, peer, proxied } = await stageDirect(environment, {
      script: () => neverSilent(clock),
      client: { connection: { clock } },
    });
    for (const [timeoutMs, seconds] of [
      [undefined, 300],
      [600_000, 600],
    ] as const) {
      const from = clock.monotonic();
      const stream = client.streamPeer(peerId, 'hello', { timeoutMs });
      let endedAt: number | undefined;
      const reply = stream.reply().finally(() => {
        endedAt = clock.monotonic() - from;
      });
      await clock.advanceUntil(() => endedAt !== undefined, { stepMs: 10_000, limitMs: 900_000 });
      expect(await reply).toMatchObject({ status: 'queued', via: 'direct', text: '' });
      expect(stream.text).toBe('one');
      expect(Math.floor((endedAt ?? 0) / 100_000)).toBe(seconds / 100);
    }
    expect([peer.requests.length, proxied().length]).toEqual([2, 0]);
  });

  verifies('stream.end.silence', 'through the platform', async () => {
    const clock = new ManualClock();
    const platform = await environment.scriptedAgent({
      script: ({ path }) => {
        const headers = { 'x-molecule-capabilities': 'stream' };
        return path.endsWith('/a2a') ? neverSilent(clock) : { kind: 'json', headers, body: { status: 'ok' } };
      },
    });
    const operator = new OperatorClient({
      platformUrl: platform.url,
      operatorKey: 'key',
      connection: { clock },
    });
    const stream = operator.streamMessage(randomUUID(), 'hello');
    let status: string | undefined;
    void stream.reply().then((reply) => {
      status = reply.status;
    });
    await clock.advanceUntil(() => status !== undefined, { stepMs: 10_000, limitMs: 400_000 });
    expect([status, stream.text]).toEqual(['queued', 'one']);
    expect(platform.requests.filter(({ path }) => path.endsWith('/a2a'))).toHaveLength(1);
    await operator.close();
  });

  verifies('cancel.aborted-call', 'abort', async () => {
    const closed = Promise.withResolvers<void>();
    const { client, peerId, peer, proxied } = await stageDirect(environment, {
      script: (request) => {
        if ((request.body as JsonObject).method !== 'message/stream') {
          return { ...JSON_BODY, body: { jsonrpc: '2.0', id: 1, result: { kind: 'task', id: 't-1' } } };
        }
        return {
          kind: 'events',
          write: (out) => {
            const part = { kind: 'text', text: 'one' };
            out.send({ kind: 'artifact-update', artifact: { artifactId: 'a-1', parts: [part] } });
            void out.closed.then(closed.resolve);
          },
        };
      },
    });
    const controller = new AbortController();
    const stream = client.streamPeer(peerId, 'hello', { messageId: 'm-1', signal: controller.signal });
    const reason = new Error('no longer needed');
    const read = async () => {
      for await (const _piece of stream) controller.abort(reason);
    };
    await expect(read()).rejects.toBe(reason);
    await closed.promise;
    const [, cancel] = await peer.received(2);
    expect(cancel).toMatchObject({
      headers: { authorization: 'Bearer peer-token-1' },
      body: { method: 'tasks/cancel', params: { id: 'm-1' } },
    });
    for await (const _piece of client.streamPeer(peerId, 'hello', { messageId: 'm-2' })) break;
    await client.close();
    expect([peer.requests.length, proxied().length]).toEqual([3, 0]);
  });

  verifies('stream.one-piece', 'without streams', async () => {
    const { client, peerId, peer, platform, proxied } = await stageDirect(environment, {
      script: (request) => ({ ...JSON_BODY, body: completed(request, 'whole') }),
    });
    expect(await piecesOf(client.streamPeer(peerId, 'hello'))).toEqual(['whole']);
    const unsupported = { code: -32004, message: 'This operation is not supported' };
    peer.react((request) =>
      (request.body as JsonObject).method === 'message/stream'
        ? { ...JSON_BODY, body: { jsonrpc: '2.0', id: 1, error: unsupported } }
        : { ...JSON_BODY, body: completed(request, 'sent once more') },
    );
    expect(await piecesOf(client.streamPeer(peerId, 'hello', { messageId: 'm-2' }))).toEqual([
      'sent once more',
    ]);
    expect(peer.requests.slice(1).map(messageIdOf)).toEqual(['m-2', 'm-2']);
    const stream = client.streamPeer(peerId, 'hello', { via: 'proxy' });
    expect(await piecesOf(stream)).toEqual(['through the platform']);
    expect(proxied().map(({ body }) => (body as JsonObject).method)).toEqual(['message/send']);
    expect(platform.requests.some(({ path }) => path === '/health')).toBe(false);
  });

  verifies('answers.too-large-fails', 'answer limits', async () => {
    const { client, peerId, peer, proxied } = await stageDirect(environment, {
      script: (request) => streamed(request, { pieces: Array(11).fill('x'.repeat(1024 * 1024)) }),
    });
    const failed = { status: 'failed', via: 'direct' };
    expect(await client.streamPeer(peerId, 'long').reply()).toMatchObject({
      ...failed,
      code: 'agent_answer_too_large',
      text: expect.stringMatching(/[^.]\.$/),
    });
    const many = (count: number): JsonObject => ({ kind: 'data', data: Array(count).fill(0) });
    peer.react((request) => streamed(request, { rest: [many(60_000)], end: 'answered' }));
    const invalid = { ...failed, code: 'agent_answer_invalid' };
    expect(await client.streamPeer(peerId, 'wide').reply()).toMatchObject(invalid);
    peer.react((request) => {
      const part = JSON.stringify([many(30_000)]);
      const whole = streamed(request, { rest: [], end: 'answered' });
      if (whole.kind !== 'text') return whole;
      const [task = '', update = '', ...others] = whole.text.split('\n\n');
      const filled = update.replace('"parts":[]', `"parts":${part}`);
      return {
        ...whole,
        text: [task, filled, filled.replace('"append":false', '"append":true'), ...others].join('\n\n'),
      };
    });
    expect(await client.streamPeer(peerId, 'wide in two events').reply()).toMatchObject(invalid);
    expect(proxied()).toEqual([]);
  });
});
