import { GrowingText, type JsonObject, StreamEvents, sseEvent } from '@molecule-ai/protocol';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import type { PeerReply } from '../peers/peer-reply.ts';
import { readReply } from '../peers/read-reply.ts';
import { resolveConnection } from '../settings/connection-settings.ts';
import { recordingLogger } from '../testing/recording-logger.ts';
import { ResponseStream } from '../transport/response-stream.ts';
import { AnswerReading, type AnswerSource } from './stream-reading.ts';

const FACTS = { peerId: 'p', messageId: 'm-1', contextId: 'c', isWrapped: false, hasNamedState: true };
const MINUTE = 60_000;
const events = new StreamEvents({ taskId: 't', messageId: 'm-1', contextId: 'c', answerId: 'a' });
const sse = (result: JsonObject) => sseEvent({ jsonrpc: '2.0', id: 1, result });
const WORKING = sse({
  kind: 'status-update',
  taskId: 't',
  contextId: 'c',
  status: { state: 'working' },
  final: false,
});

/** Reads an answer of a sender that says what the test says, when it says it. */
class Stage implements AnswerSource {
  readonly clock = new ManualClock();
  readonly isRepeatable = true;
  readonly isWrapped = false;
  readonly maxLength = 1e6;
  readonly isStrict = false;
  readonly text = new GrowingText();
  readonly streams: ResponseStream[] = [];
  reply: PeerReply | undefined;
  readonly #reading: AsyncGenerator<void, PeerReply>;

  constructor({ timeoutMs = Number.POSITIVE_INFINITY } = {}) {
    const settings = resolveConnection(
      {
        platformUrl: 'https://molecule.example.com',
        clock: this.clock,
        logger: recordingLogger(),
        random: () => 0.5,
      },
      {},
    );
    const { signal } = new AbortController();
    const message = { messageId: 'm-1', answerKey: "'m-1'" };
    const options = { settings, message, sources: [this], signal, openTimeoutMs: 1_000, timeoutMs };
    this.#reading = new AnswerReading(options, this.text).read();
  }

  async open() {
    const stream = new ResponseStream({
      connection: { pause: () => {}, resume: () => {} },
      clock: this.clock,
      idleTimeoutMs: 5 * MINUTE,
      onIdle: () => stream.fail(new Error('idle')),
      onClose: () => stream.fail(new Error('closed')),
    });
    this.streams.push(stream);
    stream.push(Buffer.from(sse(events.task('delivered', '2026-01-01T00:00:00.000Z'))));
    return { stream };
  }

  toReply = (response: JsonObject) => readReply(response, FACTS);
  queued = () => readReply({ queued: true }, FACTS);
  refused = () => this.queued();
  broken = (cause: unknown) => cause;
  leave(): void {}
  cancel(): void {}

  /** Reads to the end. */
  async readAll(): Promise<void> {
    for (;;) {
      const step = await this.#reading.next();
      if (step.done === true) {
        this.reply = step.value;
        return;
      }
    }
  }

  /** Reads until there is text. */
  async readText(): Promise<void> {
    await this.#reading.next();
  }

  async send(text: string): Promise<void> {
    this.streams.at(-1)?.push(Buffer.from(text));
    await this.clock.advance(0);
  }

  /** Sends the first text, and waits until it was read: the first reader of a process loads the parser. */
  async begin(): Promise<void> {
    while (this.streams.length === 0) await this.clock.advance(0);
    await this.send(sse(events.text('one')));
    while (this.text.length === 0) await this.clock.advance(0);
  }
}

describe('a stream without new text', () => {
  it.each([
    ['comments', ': working\n\n'],
    ['empty pieces', sse(events.text(''))],
    ['status updates', WORKING],
  ])('ends with `queued` after five minutes, though %s come', async (_what, text) => {
    const stage = new Stage();
    const read = stage.readAll();
    await stage.begin();
    for (let seconds = 20; seconds < 300; seconds += 20) {
      await stage.clock.advance(20_000);
      await stage.send(text);
      expect(stage.reply).toBeUndefined();
    }
    await stage.clock.advance(20_000);
    await read;
    expect(stage.reply?.status).toBe('queued');
    expect([stage.text.toString(), stage.streams.length, stage.clock.pending]).toEqual(['one', 1, 0]);
  });

  it('goes on with each new text', async () => {
    const stage = new Stage();
    void stage.readAll();
    await stage.begin();
    for (let minutes = 0; minutes < 20; minutes += 4) {
      await stage.send(sse(events.text('x')));
      await stage.clock.advance(4 * MINUTE);
    }
    await stage.send(': working\n\n');
    expect([stage.reply, stage.streams.length]).toEqual([undefined, 1]);
    await stage.clock.advance(MINUTE);
    expect(stage.reply?.status).toBe('queued');
  });

  it('has no other limit than the one that the caller gave', async () => {
    const stage = new Stage({ timeoutMs: 20 * MINUTE });
    void stage.readAll();
    await stage.begin();
    for (let minutes = 0; minutes < 20; minutes += 1) {
      await stage.send(': working\n\n');
      await stage.clock.advance(MINUTE);
    }
    expect([stage.reply, stage.streams.length]).toEqual([undefined, 1]);
  });

  it('waits while its reader does something else', async () => {
    const stage = new Stage();
    const first = stage.readText();
    await stage.begin();
    await first;
    for (let minutes = 0; minutes < 20; minutes += 1) {
      await stage.clock.advance(MINUTE);
      await stage.send(': working\n\n');
    }
    expect(stage.clock.pending).toBe(1);
    void stage.readAll();
    await stage.clock.advance(4 * MINUTE);
    await stage.send(': working\n\n');
    expect(stage.reply).toBeUndefined();
    await stage.clock.advance(MINUTE);
    expect(stage.reply?.status).toBe('queued');
  });

  it('gives a connection that replaces a dead one half a minute for the text so far', async () => {
    const stage = new Stage();
    void stage.readAll();
    await stage.begin();
    await stage.clock.advance(5 * MINUTE + 1_000);
    expect([stage.reply, stage.streams.length]).toEqual([undefined, 2]);
    await stage.clock.advance(29_000);
    expect(stage.reply).toBeUndefined();
    await stage.clock.advance(1_000);
    expect(stage.reply?.status).toBe('queued');
    expect([stage.streams.length, stage.clock.pending]).toEqual([2, 0]);
  });
});
