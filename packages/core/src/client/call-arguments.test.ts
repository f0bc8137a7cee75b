import { describe, expect, it } from 'vitest';
import { PEER } from '../../test/agent-ids.ts';
import { operatorStage, stage } from '../../test/test-client.ts';

const circular: Record<string, unknown> = {};
circular.self = circular;

const WRONG: readonly (readonly [string, readonly unknown[], RegExp])[] = [
  ...[0, -1, Number.NaN, 1.5, '5', Number.POSITIVE_INFINITY, null].map(
    (timeoutMs) =>
      [`timeoutMs ${timeoutMs}`, [PEER, 'hello', { timeoutMs }], /^timeoutMs must be an integer/] as const,
  ),
  ...['abort', {}, null].map(
    (signal) => [`signal ${signal}`, [PEER, 'hello', { signal }], /^signal must be an AbortSignal/] as const,
  ),
  ...[circular, { size: 1n }, 'trace', null].map(
    (metadata) =>
      [
        `metadata ${typeof metadata}`,
        [PEER, 'hello', { metadata }],
        /^`metadata` must be an object that JSON can/,
      ] as const,
  ),
  ['no peer', [undefined, 'hello'], /workspace to send to must be a string, not undefined/],
  ['a blank peer', [' ', 'hello'], /workspace to send to must not be blank/],
  [
    'a text that is none',
    [PEER, { text: ['hello'] }],
    /text of a message without data must be a string, not object/,
  ],
  ['no text', [PEER, null], /text of a message must be a string, not null/],
  ['a blank text', [PEER, ' \n'], /text of a message must not be blank/],
];

describe('a call with wrong values', () => {
  it.each(WRONG)('is refused before anything is sent: %s', async (_name, values, message) => {
    await using s = await stage();
    await using o = await operatorStage();
    const { client: workspace } = s;
    const { client: operator } = o;
    // biome-ignore lint/suspicious/noExplicitAny: a program without types
    const given = values as any;
    const calls = [
      () => workspace.callPeer(...(given as [string, string])),
      () => workspace.sendToPeer(...(given as [string, string])),
      () => workspace.streamPeer(...(given as [string, string])).reply(),
      () => operator.sendMessage(...(given as [string, string])),
      () => operator.streamMessage(...(given as [string, string])).reply(),
    ];
    for (const call of calls) {
      await expect((async () => call())()).rejects.toMatchObject({
        name: 'MoleculeError',
        code: 'invalid_argument',
        message: expect.stringMatching(message),
      });
    }
    expect([...s.server.requests, ...o.server.requests]).toEqual([]);
  });

  it('takes the signals of others that are like an AbortSignal', async () => {
    await using s = await stage({ body: { status: 'queued' } });
    const signal = Object.create(new AbortController().signal, {
      aborted: { value: false },
      addEventListener: { value: () => {} },
      removeEventListener: { value: () => {} },
      throwIfAborted: { value: () => {} },
    }) as AbortSignal;
    expect(await s.client.callPeer(PEER, 'hello', { signal, timeoutMs: 1_000 })).toMatchObject({
      status: 'queued',
    });
  });
});
