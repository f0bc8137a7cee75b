import { describe, expect, it } from 'vitest';
import { PEER } from '../../test/agent-ids.ts';
import { stage } from '../../test/test-client.ts';
import { PageTooLargeError } from '../errors/api-error.ts';
import { firstRowOf } from './inbound-page.ts';

const compactRow = (id: string, seq: number, change: object = {}) => ({
  id,
  seq,
  ts: '2026-11-21T10:00:00.000Z',
  type: 'a2a_receive',
  direction: 'in',
  method: 'message/send',
  source: 'peer_agent',
  source_id: PEER,
  message_id: `m-${id}`,
  context_id: 'c',
  conversation_id: 'f'.repeat(32),
  in_reply_to: null,
  parts: [{ kind: 'text', text: `text of ${id}` }],
  metadata: { trace_id: 't' },
  state: 'queued',
  peer_name: 'Ops',
  ...change,
});

describe('a row that the platform cut', () => {
  const cut = compactRow('b', 2, { truncated: true, in_reply_to: 'q' });

  it('is used as it is when the row is gone', async () => {
    await using s = await stage([
      { body: [cut] },
      { status: 404, body: { error: 'x', code: 'activity_not_found' } },
    ]);
    expect((await s.client.fetchInbound()).map(({ text }) => text)).toEqual(['text of b']);
  });

  it('ends the page before it when it is too large, and fails the read when it comes first', async () => {
    const large = { body: compactRow('b', 2, { parts: [{ text: 'x'.repeat(5_000) }] }) };
    const rows = [compactRow('a', 1), cut, compactRow('c', 3)];
    await using s = await stage([{ body: rows }, large, { body: [cut] }, large], {
      limits: { maxRetries: 0, maxResponseBytes: 4_000 },
    });
    expect(await s.client.fetchInboundPage()).toMatchObject({
      messages: [{ id: 'a' }],
      rows: 1,
      skipped: 0,
      lastRowId: 'a',
      hasMore: true,
    });
    const error = await s.client.fetchInboundPage().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'response_too_large', limit: 1, firstRow: { id: 'b', seq: 2 } });
  });
});

describe('a page above the limit', () => {
  it('names its first row and no text', async () => {
    const row = {
      data: { id: 'inner', text: 'secret "words"\\' },
      ...compactRow('a', 7),
      text: 'x'.repeat(9_000),
    };
    await using s = await stage({ body: [row] }, { limits: { maxRetries: 0, maxResponseBytes: 4_000 } });
    const error = await s.client.fetchInboundPage({ limit: 1 }).catch((reason: unknown) => reason);
    expect(PageTooLargeError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({
      limit: 1,
      firstRow: { id: 'a', messageId: 'm-a', sourceId: PEER, seq: 7 },
    });
    expect(JSON.stringify(error)).not.toContain('secret');
  });

  it.each<[string, string | null]>([
    ['[{"id":"a","text":"xxx', 'a'],
    ['[ {"n" : -1.5, "t":true, "o":{"id":"no"},"l":["id",{"id":"no"}], "s":"q\\"\\\\" , "id" : "é"', 'é'],
    ['[{"text":"long, cut', null],
    ['[{"id":"cut', null],
    ['{"items":[{"id":"b"', 'b'],
    ['[{"text":"no id"},{"id":"second"}', null],
    ['not json', null],
    ['', null],
  ])('names it as far as it was received: %s', (text, id) => {
    expect(firstRowOf(Buffer.from(text))?.id ?? null).toBe(id);
  });
});
