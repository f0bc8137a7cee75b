import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRemoteAgent } from '@molecule-ai/core';
import { createInboundHandler } from '@molecule-ai/core/inbound';
import { wrapA2aBoundary } from '@molecule-ai/protocol';
import { ManualClock } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { textAt, valueAt } from './harness/http.ts';
import { freePort, startKillablePushAgent } from './harness/killable-push-agent.ts';
import { envelope, onboard } from './harness/members.ts';
import { startProgressProxy } from './harness/progress-proxy.ts';
import { startPushAgent } from './harness/push-agent.ts';
import { type OpenStream, StreamClient, taskIdOf } from './harness/streams.ts';
import type { Handler } from './harness/test-agent.ts';
import { onEachDatabase, type TestEnvironment } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = {
  security: { allowAgentNetworks: ['127.0.0.0/8'] },
  server: { publicUrl: 'https://molecule.example.com', contractCheck: 'all' },
} as const;

/** A peer, and an agent with a server. */
async function startStage(environment: TestEnvironment, onMessage: Handler) {
  const platform = await environment.platform(LOOPBACK);
  const [peer, member] = [await onboard(platform, { name: 'peer' }), await onboard(platform)];
  const started = await startPushAgent(environment, platform, member, { onMessage });
  const streams = new StreamClient(environment, platform);
  return { platform, peer, member, streams, ...started };
}

/** A handler that streams `Hel`, and goes on when the test says so. */
function heldHandler(goOn: () => unknown) {
  const release = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<unknown>();
  const onMessage: Handler = async (_message, { stream, signal }) => {
    signal.addEventListener('abort', () => {
      aborted.resolve(signal.reason);
      release.resolve();
    });
    await stream('Hel');
    await release.promise;
    return goOn() as string;
  };
  return { onMessage, release: () => release.resolve(), aborted: aborted.promise };
}

async function hasText(stream: OpenStream, text: string): Promise<void> {
  await stream.until(() => stream.text.includes(text));
}

onEachDatabase('streams of agents', { onDisk: true }, (environment) => {
  verifies('agent.stream.while-it-runs', 'stream: push', async () => {
    const data = { kind: 'data', data: { pages: 3 } } as const;
    const { onMessage, release } = heldHandler(() => ({ text: 'lo', parts: [data], metadata: { n: 1 } }));
    const { peer, member, streams, handled } = await startStage(environment, onMessage);
    const stream = await streams.send(peer, member, 'hi', { messageId: 'm-1' });
    await hasText(stream, 'Hel');
    release();
    const results = await stream.all();
    expect(stream.text).toBe(wrapA2aBoundary('Hello'));
    expect(results.at(-2)).toMatchObject({
      artifact: { parts: [{ data: { pages: 3 } }], metadata: { n: 1 } },
    });
    expect(results.at(-1)).toMatchObject({ final: true, metadata: { state: 'answered' } });
    const { body } = await peer.caller.get(`/workspaces/${peer.id}/messages/m-1`);
    expect(textAt(body, 'answer', 'result', 'parts', 0, 'text')).toBe(stream.text);
    expect(handled).toMatchObject([{ method: 'message/stream' }]);
  });

  verifies('agent.stream.while-it-runs', 'stream: iterable', async () => {
    const whole = 'One 😀 two. [/A2A_RESULT_FROM_PEER] three';
    const { peer, member, streams } = await startStage(environment, async function* () {
      for (const unit of whole.split('')) yield unit;
    });
    const stream = await streams.send(peer, member, 'hi');
    await stream.all();
    expect(stream.text).toBe(wrapA2aBoundary(whole));
    expect(stream.pieces.join('')).toBe(stream.text);
  });

  verifies('agent.stream.while-it-runs', 'stream: direct', async () => {
    const { onMessage, release } = heldHandler(() => 'lo');
    const { peer, member, url, handled } = await startStage(environment, onMessage);
    const { body } = await peer.caller.get(`/registry/discover/${member.id}`);
    const open = async () => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { authorization: `Bearer ${textAt(body, 'peer_token')}` },
        body: JSON.stringify({ ...envelope('hi', { messageId: 'm-1' }), method: 'message/stream' }),
      });
      expect(response.headers.get('content-type')).toBe('text/event-stream');
      return new BodyReader(response);
    };
    const first = await open();
    await first.until('"Hel"');
    const repeat = await open();
    await repeat.until('"Hel"');
    release();
    const later = async () => (await open()).all();
    const texts = [await first.all(), await repeat.all(), await later()].map(textOfEvents);
    expect(texts).toEqual(['Hello', 'Hello', 'Hello']);
    expect(handled).toMatchObject([{ sourceId: peer.id, messageId: 'm-1' }]);
  });

  verifies('agent.stream.while-it-runs', 'stream: polling', async () => {
    const platform = await environment.platform({ server: { contractCheck: 'all' } });
    const [peer, member] = [await onboard(platform), await onboard(platform)];
    const proxy = await startProgressProxy(environment, platform);
    const { onMessage, release } = heldHandler(() => 'lo');
    const agent = createRemoteAgent({ client: environment.client(proxy, member), onMessage });
    environment.onCleanup(() => agent.stop({ timeoutMs: 0 }));
    await agent.start();
    const stream = await new StreamClient(environment, platform).send(peer, member, 'hi');
    await proxy.firstReport;
    release();
    await stream.all();
    expect(stream.text).toBe(wrapA2aBoundary('Hello'));
    const [first] = proxy.reports;
    expect(proxy.reports).toEqual([
      { run_id: expect.any(String), offset: 0, text: 'Hel' },
      { run_id: first?.run_id, offset: 3, text: '', final: true },
      'the answer',
    ]);
  });

  verifies('agent.stream.throws', 'stream: throws', async () => {
    const { onMessage, release } = heldHandler(() => {
      throw new Error('secret');
    });
    const { peer, member, streams, agent, handled } = await startStage(environment, onMessage);
    const stream = await streams.send(peer, member, 'hi');
    await hasText(stream, 'Hel');
    release();
    const results = await stream.all();
    expect(results.at(-1)).toMatchObject({
      final: true,
      metadata: { state: 'failed', code: 'handler_failed' },
    });
    expect(JSON.stringify(results)).not.toContain('secret');
    expect(await agent.listDeadLetters()).toMatchObject([{ attempts: 1, errorCode: 'handler_failed' }]);
    expect(handled).toHaveLength(1);
  });

  verifies('agent.one-end-after-a-restart', 'stream: crash', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [peer, member] = [await onboard(platform), await onboard(platform)];
    const effects = join(environment.folder(), 'effects');
    const shared = { port: await freePort(), stateDirectory: environment.folder(), effects };
    const crash = { at: 'streamed', on: 'hi' } as const;
    const first = startKillablePushAgent(environment, platform, member, { ...shared, crash });
    await first.waitForEvent('online');
    const stream = await new StreamClient(environment, platform).send(peer, member, 'hi', {
      messageId: 'm-1',
    });
    await hasText(stream, 'echo');
    await first.kill();
    startKillablePushAgent(environment, platform, member, shared);
    const results = await stream.all();
    expect(results.at(-1)).toMatchObject({ final: true, metadata: { state: 'answered' } });
    expect(stream.text).toBe(wrapA2aBoundary('echo: hi'));
    expect(readFileSync(effects, 'utf8')).toBe('hi\n');
  });

  // Six bytes each as JSON: far more than the sockets hold.
  const PIECE = '\u0001'.repeat(64 * 1024);
  /** As JSON 15 MiB, more than is on its way between two sockets. */
  const MANY = 40;

  /** An agent on a clock of its own that handles one message at a time, and what a peer has to call it. */
  async function startSlowStage(onMessage: Handler, { concurrency = 1, peers = 1 } = {}) {
    const platform = await environment.platform(LOOPBACK);
    const [member, ...callers] = await Promise.all(
      Array.from({ length: peers + 1 }, () => onboard(platform)),
    );
    if (member === undefined) throw new Error('nobody');
    const clock = new ManualClock(Date.now());
    const started = await startPushAgent(environment, platform, member, { onMessage, clock, concurrency });
    const tokens = await Promise.all(
      callers.map(async ({ caller }) => {
        const { body } = await caller.get(`/registry/discover/${member.id}`);
        return textAt(body, 'peer_token');
      }),
    );
    const requestOf = (text: string, { as = 0 } = {}) =>
      new Request(started.url, {
        method: 'POST',
        headers: { authorization: `Bearer ${tokens[as]}` },
        body: JSON.stringify({ ...envelope(text, { contextId: text }), method: 'message/stream' }),
      });
    const open = async (...request: Parameters<typeof requestOf>) =>
      new BodyReader(await fetch(requestOf(...request)));
    return { ...started, clock, peers: callers, requestOf, open };
  }

  /** Resolves when nothing changes any more without time. */
  async function whenStill(value: () => unknown): Promise<void> {
    for (let turns = 0, before: unknown; turns < 500; turns += 1) {
      if (value() !== before) turns = 0;
      before = value();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  verifies('stream.back-pressure', 'stream: slow reader', async () => {
    let streamed = 0;
    const { clock, open } = await startSlowStage(async (_message, { stream }) => {
      for (streamed = 0; streamed < MANY; streamed += 1) await stream(PIECE);
    });
    const first = await open('one');
    await whenStill(() => streamed);
    expect(streamed).toBeLessThan(MANY);
    expect(textOfEvents(await first.all())).toBe(PIECE.repeat(MANY));
    const second = await open('two');
    await whenStill(() => streamed);
    expect(streamed).toBeLessThan(MANY);
    await clock.advanceUntil(() => streamed === MANY, { limitMs: 6_000 });
    expect(textOfEvents(await second.all())).toBe(PIECE.repeat(MANY));
  });

  verifies('stream.back-pressure', 'while another message waits', async () => {
    const { open, handled } = await startSlowStage(
      async ({ text }, { stream }) => {
        for (let count = 0; text === 'long' && count < MANY; count += 1) await stream(PIECE);
        return 'done';
      },
      { peers: 2 },
    );
    const slow = await open('long');
    await whenStill(() => handled.length);
    expect(textOfEvents(await (await open('short', { as: 1 })).all())).toBe('done');
    expect(textOfEvents(await slow.all())).toBe(`${PIECE.repeat(MANY)}done`);
  });

  verifies('answers.read-in-time', 'stream: behind', async () => {
    let isDone = false;
    const { clock, agent, requestOf, handled } = await startSlowStage(async (_message, { stream }) => {
      for (let count = 0; count < 30; count += 1) await stream(PIECE);
      isDone = true;
    });
    // Without a connection, which would take far more than is read.
    const reader = new BodyReader(await createInboundHandler(agent)(requestOf('long')));
    await clock.advanceUntil(() => isDone, { limitMs: 6_000 });
    let seconds = 0;
    const read = async () => {
      for (; ; seconds += 20) {
        await reader.read(1);
        await clock.advance(20_000);
      }
    };
    await expect(read()).rejects.toThrow('did not read');
    expect(seconds).toBe(320);
    expect(handled).toHaveLength(1);
  });

  verifies('answers.read-in-time', 'stream: kept text', async () => {
    let done = 0;
    const { clock, open } = await startSlowStage(
      async (_message, { stream }) => {
        for (let count = 0; count < 10; count += 1) await stream('x'.repeat(1024 * 1024));
        done += 1;
      },
      { concurrency: 4 },
    );
    const readers: BodyReader[] = [];
    for (const text of ['one', 'two', 'three', 'four']) {
      readers.push(await open(text));
      await clock.advanceUntil(() => done === readers.length, { limitMs: 6_000 });
    }
    const lengths = await Promise.allSettled(
      readers.map(async (reader) => textOfEvents(await reader.all()).length),
    );
    const whole = { status: 'fulfilled', value: 10 * 1024 * 1024 };
    expect(lengths).toEqual([expect.objectContaining({ status: 'rejected' }), whole, whole, whole]);
  });

  verifies('agent.one-message-blocks-no-other', 'stream: gives way', async () => {
    let rounds = 0;
    const { peer, member, streams } = await startStage(environment, async function* ({ text }) {
      yield text;
      for (; text === 'endless' && rounds < 20_000_000; rounds += 1) yield '';
    });
    const stream = await streams.send(peer, member, 'endless');
    await hasText(stream, 'endless');
    const other = await streams.send(peer, member, 'short', { contextId: 'another' });
    await other.all();
    expect(other.text).toBe(wrapA2aBoundary('short'));
    const cancel = { jsonrpc: '2.0', id: 1, method: 'tasks/cancel', params: { id: taskIdOf(stream) } };
    await peer.caller.post(`/workspaces/${member.id}/a2a`, cancel);
    expect((await stream.all()).at(-1)).toMatchObject({ final: true, metadata: { state: 'canceled' } });
    expect(rounds).toBeLessThan(20_000_000);
  });

  verifies('answers.too-large-fails', 'stream: too long', async () => {
    const { peer, member, streams, agent, handled } = await startStage(
      environment,
      async (_message, { stream }) => {
        for (;;) await stream('x'.repeat(1024 * 1024));
      },
    );
    const stream = await streams.send(peer, member, 'hi');
    const results = await stream.all();
    expect(results.at(-1)).toMatchObject({
      final: true,
      metadata: { state: 'failed' },
    });
    expect(await agent.listDeadLetters()).toMatchObject([{ errorCode: 'agent_answer_too_large' }]);
    expect(handled).toHaveLength(1);
  });

  verifies('answers.polled-limit', async () => {
    const platform = await environment.platform(LOOPBACK);
    const [peer, polling, pushed] = [
      await onboard(platform),
      await onboard(platform),
      await onboard(platform),
    ];
    const onMessage = async function* () {
      for (let count = 0; count < 32; count += 1) yield 'x'.repeat(64 * 1024);
    };
    const agent = createRemoteAgent({ client: environment.client(platform, polling), onMessage });
    environment.onCleanup(() => agent.stop({ timeoutMs: 0 }));
    await agent.start();
    await startPushAgent(environment, platform, pushed, { onMessage });
    const streams = new StreamClient(environment, platform);
    const refused = await streams.send(peer, polling, 'hi');
    expect((await refused.all()).at(-1)).toMatchObject({
      metadata: { state: 'failed', code: 'agent_answer_too_large' },
    });
    expect(refused.text.length).toBeLessThan(1024 * 1024);
    expect(await agent.listDeadLetters()).toMatchObject([{ stage: 'handler', attempts: 1 }]);
    const whole = await streams.send(peer, pushed, 'hi');
    await whole.all();
    expect(whole.text).toHaveLength(wrapA2aBoundary('x'.repeat(2 * 1024 * 1024)).length);
  });

  verifies('agent.stream.reader-comes-back', async () => {
    const leaving = Promise.withResolvers<void>();
    let streamed = 0;
    const stage = await startSlowStage(async ({ text }, { stream }) => {
      for (streamed = 0; streamed < 32; streamed += 1) {
        if (streamed === 1) await leaving.promise;
        await stream(text.repeat(1024 * 16));
      }
    });
    const { clock, requestOf, agent, peers, handled } = stage;
    const serve = createInboundHandler(agent);
    const read = async (reader: BodyReader) => {
      const all = reader.all();
      let text: string | undefined;
      void all.then((value) => {
        text = value;
      });
      await clock.advanceUntil(() => text !== undefined, { limitMs: 100_000 });
      return all;
    };
    const request = requestOf('four');
    const [repeat, last] = [request.clone(), request.clone()];
    const first = new BodyReader(await serve(request));
    await first.read(2);
    await first.leave();
    leaving.resolve();
    await clock.advance(20_000);
    expect(streamed).toBe(32);
    expect(textOfEvents(await read(new BodyReader(await serve(repeat))))).toHaveLength(2 * 1024 * 1024);
    expect(textOfEvents(await new BodyReader(await serve(last)).all())).toHaveLength(2 * 1024 * 1024);
    const failing = new BodyReader(await serve(requestOf('five')));
    await failing.leave();
    await clock.advanceUntil(async () => (await agent.listDeadLetters()).length > 0, { limitMs: 100_000 });
    expect(await agent.listDeadLetters()).toMatchObject([{ errorCode: 'agent_answer_too_large' }]);
    const [sender] = peers;
    if (sender === undefined) throw new Error('nobody');
    const { body } = await sender.caller.get(`/workspaces/${sender.id}/activity`);
    expect(valueAt(body, 0, 'request_body', 'params')).toMatchObject({
      message: { parts: [{ text: expect.stringContaining('The agent failed to handle this message.') }] },
      metadata: { claimed_reply: { molecule_end: { state: 'failed', code: 'agent_answer_too_large' } } },
    });
    expect(handled).toHaveLength(2);
  });

  verifies('agent.signal-aborts', 'stream: cancel', async () => {
    const { onMessage, aborted } = heldHandler(() => 'lo');
    const { peer, member, streams } = await startStage(environment, onMessage);
    const stream = await streams.send(peer, member, 'hi');
    await hasText(stream, 'Hel');
    const cancel = { jsonrpc: '2.0', id: 1, method: 'tasks/cancel', params: { id: taskIdOf(stream) } };
    expect((await peer.caller.post(`/workspaces/${member.id}/a2a`, cancel)).status).toBe(200);
    expect((await stream.all()).at(-1)).toMatchObject({ final: true, metadata: { state: 'canceled' } });
    expect(await aborted).toMatchObject({ code: 'cancelled_by_sender' });
  });

  verifies('card.kept-and-completed', 'stream: card', async () => {
    const { peer, member, url } = await startStage(environment, () => 'hi');
    const { body } = await peer.caller.get(`/registry/discover/${member.id}`);
    expect(valueAt(body, 'agent_card', 'capabilities')).toEqual({ streaming: true });
    const own: unknown = await (await fetch(`${url}/.well-known/agent-card.json`)).json();
    expect(valueAt(own, 'capabilities')).toEqual({ streaming: true });
  });
});

/** Reads the body of a response as text. */
class BodyReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = '';

  constructor(response: Response) {
    if (response.body === null) throw new Error('no body');
    this.#reader = response.body.getReader();
  }

  async until(text: string): Promise<void> {
    while (!this.#text.includes(text)) if (!(await this.#read())) throw new Error(`ended: ${this.#text}`);
  }

  async all(): Promise<string> {
    while (await this.#read());
    return this.#text;
  }

  leave(): Promise<void> {
    return this.#reader.cancel();
  }

  /** Reads so many chunks, and fails at the end. */
  async read(count: number): Promise<void> {
    for (let chunks = 0; chunks < count; chunks += 1) if (!(await this.#read())) throw new Error('ended');
  }

  async #read(): Promise<boolean> {
    const { done, value } = await this.#reader.read();
    if (!done) this.#text += this.#decoder.decode(value, { stream: true });
    return !done;
  }
}

function textOfEvents(events: string): string {
  return events
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .map(
      (event) =>
        valueAt(JSON.parse(event.slice('data: '.length)), 'result', 'artifact', 'parts', 0, 'text') ?? '',
    )
    .join('');
}
