import { describe, expect, it } from 'vitest';
import { AnswerStream } from './answer-stream.ts';

const shown = { isShown: true, isRequest: false, onFirst: async () => {} };
const { signal } = new AbortController();

describe('an answer that is sent as a request', () => {
  const MAX = 1024 * 1024 - 1024;

  it.each([
    ['letters', 'x', 1, 50_000],
    ['escapes', '\u0001', 6, 10_001],
    ['quotes', '"', 2, 20_001],
    ['halves of surrogate pairs', '😀', 4, 11_111],
    ['umlauts', 'ä', 2, 16_384],
  ])('has at most 1 MiB as JSON, however it is cut: %s', async (_what, unit, bytes, pieceLength) => {
    const text = new AnswerStream().begin({ ...shown, isRequest: true });
    const whole = unit.repeat(Math.ceil((2 * MAX) / bytes));
    const append = async () => {
      for (let at = 0; at < whole.length; at += pieceLength) {
        await text.append(whole.slice(at, at + pieceLength), signal);
      }
    };
    await expect(append()).rejects.toMatchObject({ code: 'agent_answer_too_large' });
    const sent = Buffer.byteLength(JSON.stringify(text.toString()));
    expect(sent).toBeLessThanOrEqual(MAX);
    expect(sent).toBeGreaterThan(MAX - (pieceLength + 1) * 6);
    expect(text.rejection).toMatchObject({ hint: expect.stringContaining('URL') });
  });

  it('is not shown beyond that', async () => {
    const stream = new AnswerStream();
    const text = stream.begin({ ...shown, isRequest: true });
    await text.append('x'.repeat(MAX - 2), signal);
    await expect(text.append('x', signal)).rejects.toMatchObject({ code: 'agent_answer_too_large' });
    expect(await stream.read().take(2 * MAX)).toHaveLength(MAX - 2);
  });
});
