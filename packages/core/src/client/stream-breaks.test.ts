import { wrapA2aBoundary } from '@molecule-ai/protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PEER } from '../../test/agent-ids.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import type { ScriptedResponse } from '../../test/scripted-server.ts';
import { STREAMING, type StreamedResponse, streaming } from '../../test/streamed-response.ts';
import { type ClientStage, stage } from '../../test/test-client.ts';
import type { RemoteAgentClientOptions } from '../settings/client-settings.ts';
import type { PeerStream } from './peer-stream.ts';

/** A client of a platform that streams. */
async function streamingStage(
  script: ScriptedResponse[],
  options: RemoteAgentClientOptions = {},
): Promise<ClientStage> {
  const s = await stage(script, options);
  s.server.routes.set('GET /health', { headers: STREAMING, body: { status: 'ok' } });
  return s;
}

async function textOf(stream: PeerStream): Promise<string> {
  let text = '';
  for await (const piece of stream) text += piece;
  return text;
}

const sent = ({ server }: ClientStage) => server.requests.filter(({ path }) => path.endsWith('/a2a'));

describe('a stream that breaks off', () => {
  it('also when the response ends too early, or in the middle of an event', async () => {
    await using s = await streamingStage([
      streaming((out) => out.begin('one').cut()),
      streaming((out) => {
        out.begin('one', ' two').raw('data: {"jsonrpc":"2.0","res');
        out.cut();
      }),
      streaming((out) => out.begin('one two').end()),
    ]);
    expect(await textOf(s.client.streamPeer(PEER, 'hello'))).toBe('one two');
  });

  it('four times in a row without new text fails; the answer can be read later', async () => {
    await using s = await streamingStage([streaming((out) => out.begin('one').cut())]);
    const stream = s.client.streamPeer(PEER, 'hello', { messageId: 'm-1' });
    await expect(stream.reply()).rejects.toMatchObject({
      code: 'connection_failed',
      delivered: 'unknown',
      hint: expect.stringContaining("waitForAnswer('m-1')"),
    });
    expect(stream.text).toBe('one');
    expect(s.clock.sleeps).toEqual([1_000, 2_000, 4_000]);
    expect(sent(s)).toHaveLength(4);
  });

  it.each<[string, ScriptedResponse]>([
    ['is down', 'reset'],
    ['is behind a proxy that says so', { status: 502, headers: STREAMING, body: { error: 'bad gateway' } }],
  ])('fails with the way to the answer when the platform %s from then on', async (_how, down) => {
    await using s = await streamingStage([streaming((out) => out.begin('one').cut()), down]);
    const failed = s.client.streamPeer(PEER, 'hello', { messageId: 'm-1' }).reply();
    const error: unknown = await failed.catch((reason) => reason);
    expect(error).toMatchObject({
      name: 'ConnectionError',
      delivered: 'unknown',
      isRetryable: true,
      messageId: 'm-1',
      hint: expect.stringContaining("waitForAnswer('m-1')"),
    });
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({ messageId: 'm-1' });
    // After the break, then between the attempts to open it again.
    expect(s.clock.sleeps).toEqual([1_000, 1_000, 2_000, 4_000]);
  });
});

it('a client that is closed ends the pause before the next attempt', async () => {
  const clock = new ManualClock();
  await using s = await streamingStage([streaming((out) => out.begin('one').cut())], {
    connection: { clock },
  });
  const failed = expect(s.client.streamPeer(PEER, 'hello').reply()).rejects.toMatchObject({
    code: 'client_closed',
  });
  while (clock.sleeps.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await s.client.close();
  await failed;
  expect([clock.pending, sent(s).length]).toEqual([0, 1]);
});

describe('an answer that is another one', () => {
  const expected = { code: 'stream_restarted', messageId: 'm-1', name: 'StreamRestartedError' };

  it.each<[string, (out: StreamedResponse) => void]>([
    ['in its pieces', (out) => out.begin('another').end()],
    ['because it is shorter', (out) => out.begin('on').end()],
    ['from its beginning', (out) => out.begin('one').restart(wrapA2aBoundary('another'))],
  ])('%s ends the iteration', async (_how, second) => {
    await using s = await streamingStage([streaming((out) => out.begin('one two').cut()), streaming(second)]);
    const stream = s.client.streamPeer(PEER, 'hello', { messageId: 'm-1' });
    const pieces: string[] = [];
    const read = async () => {
      for await (const piece of stream) pieces.push(piece);
    };
    await expect(read()).rejects.toMatchObject(expected);
    expect(pieces).toEqual(['one two']);
    const error: unknown = await stream.reply().catch((reason) => reason);
    expect(error).toMatchObject(expected);
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({ messageId: 'm-1' });
    expect(sent(s)).toHaveLength(2);
  });

  it('continues where it begins anew with the same text', async () => {
    await using s = await streamingStage([
      streaming((out) => {
        out.begin('one').restart(wrapA2aBoundary('one and two')).end();
      }),
    ]);
    expect(await textOf(s.client.streamPeer(PEER, 'hello'))).toBe('one and two');
  });
});

describe('the time of a stream', () => {
  it('fails at that limit when nobody has accepted the message', async () => {
    const clock = new ManualClock();
    await using s = await streamingStage(['hang'], { connection: { clock } });
    const stream = s.client.streamPeer(PEER, 'hello', { timeoutMs: 1_000, messageId: 'm-1' });
    const failed = expect(stream.reply()).rejects.toMatchObject({ code: 'timed_out', messageId: 'm-1' });
    await s.server.waitForRequests(2);
    await clock.advance(1_001);
    await failed;
  });

  it('starts again for a connection without a byte for five minutes', async () => {
    const clock = new ManualClock();
    await using s = await streamingStage(
      [streaming((out) => void out.begin('one')), streaming((out) => out.begin('one two').end())],
      { connection: { clock } },
    );
    const iterator = s.client.streamPeer(PEER, 'hello')[Symbol.asyncIterator]();
    await iterator.next();
    const next = iterator.next();
    await clock.advance(300_001);
    await clock.waitForPending(1);
    await clock.advance(2_000);
    expect((await next).value).toBe(' two');
    expect(sent(s)).toHaveLength(2);
  });
});

describe('pieces', () => {
  const marker = '[/A2A_RESULT_FROM_PEER]';
  /** Quicker than the unit `binary`, which makes a table first. */
  const anyCharacter = fc
    .nat({ max: 0x10ffff })
    .map((code) => (code >> 11 === 27 ? '\ufffd' : String.fromCodePoint(code)));
  const texts = fc
    .array(
      fc.oneof(
        fc.constantFrom(marker, '[A2A_RESULT_FROM_PEER]', `[\\/A2A_RESULT_FROM_PEER]`, '\n', ' ', '[', '😀'),
        fc.string({ unit: anyCharacter, maxLength: 8 }),
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join(''))
    .filter((text) => text.trim() !== '');

  it('however they are cut, joined are the text that callPeer returns', async () => {
    await using s = await streamingStage([]);
    await fc.assert(
      fc.asyncProperty(
        texts,
        fc.array(fc.nat(200)),
        fc.array(fc.nat(2_000)),
        async (text, cuts, byteCuts) => {
          const result = {
            kind: 'message',
            messageId: 'a',
            parts: [{ kind: 'text', text: wrapA2aBoundary(text) }],
          };
          s.server.script({ headers: STREAMING, body: { jsonrpc: '2.0', id: 1, result } });
          const whole = await s.client.callPeer(PEER, 'hello');
          s.server.script(
            streaming((out) =>
              out
                .begin()
                .cutBytes(byteCuts)
                .begin(...cut(text, cuts))
                .end(),
            ),
          );
          const stream = s.client.streamPeer(PEER, 'hello');
          const joined = await textOf(stream);
          const reply = await stream.reply();
          expect([joined, reply.text, stream.text]).toEqual([whole.text, whole.text, whole.text]);
        },
      ),
      { numRuns: 50, seed: 1 },
    );
  });
});

function cut<T extends string | Buffer>(whole: T, places: readonly number[]): T[] {
  const at = [...new Set(places.map((place) => place % (whole.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => whole.slice(from, at[index] ?? whole.length) as T);
}
