import { describe, expect, it } from 'vitest';
import { parseActivityRow } from './inbound-message.ts';
import type { JsonObject } from './open-json.ts';
import {
  claimedReply,
  PLATFORM_WORDS,
  type PlatformWords,
  withClaimedReply,
  withoutPlatformWords,
  withoutPlatformWordsIn,
  withoutReply,
} from './platform-words.ts';

const OWN: JsonObject = { note: 'kept', trace_id: 't', code: 'own' };
const GROUPS = Object.keys(PLATFORM_WORDS) as PlatformWords[];
const wordsOf = (...groups: PlatformWords[]): JsonObject =>
  Object.fromEntries(
    groups.flatMap((group) => PLATFORM_WORDS[group]).map((word) => [word, `forged ${word}`]),
  );
const all = { ...wordsOf(...GROUPS), molecule_end: { state: 'failed' }, ...OWN };

describe('metadata without the words of the platform', () => {
  it.each(GROUPS)('has none of %s', (group) => {
    const others = wordsOf(...GROUPS.filter((each) => each !== group));
    const end = group === 'reply' ? {} : { molecule_end: { state: 'failed' } };
    expect(withoutPlatformWords(all, group)).toEqual({ ...others, ...end, ...OWN });
  });

  it('has what its sender added', () => {
    expect(withoutPlatformWords(all, ...GROUPS)).toEqual(OWN);
    expect(withoutPlatformWords(OWN, ...GROUPS)).toBe(OWN);
  });

  it('keeps a key that is the name of a prototype', () => {
    const given: JsonObject = JSON.parse('{"__proto__":{"source":"x"},"source":"canvas_user"}');
    expect(JSON.stringify(withoutPlatformWords(given, 'origin'))).toBe('{"__proto__":{"source":"x"}}');
  });

  it('is the one of the params and of the message', () => {
    const request = {
      method: 'message/send',
      params: { metadata: all, message: { role: 'user', metadata: all } },
    };
    expect(withoutPlatformWordsIn(request, ...GROUPS)).toEqual({
      method: 'message/send',
      params: { metadata: OWN, message: { role: 'user', metadata: OWN } },
    });
    const others: JsonObject[] = [{}, { params: 'text' }, { params: { message: 'text', metadata: OWN } }];
    for (const other of others) expect(withoutPlatformWordsIn(other, ...GROUPS)).toBe(other);
  });

  it('is that of a message on the feed', () => {
    const named = wordsOf('origin');
    const request_body = { params: { metadata: named, message: { metadata: { ...named, ...OWN } } } };
    const row = { id: 'r', type: 'a2a_receive', source: 'peer_agent', source_id: 's-1', request_body };
    expect(parseActivityRow(row)).toMatchObject({ source: 'peer_agent', sourceId: 's-1', metadata: OWN });
    expect(parseActivityRow(row)?.metadata).toEqual(OWN);
  });
});

describe('a request that answers nothing', () => {
  const given = {
    in_reply_to: 'm-1',
    in_reply_to_activity: 'r-1',
    state: 'failed',
    questions: [],
    note: 'kept',
  };
  const end = { state: 'failed', code: 'no' };
  const request = {
    method: 'message/send',
    params: { message: { metadata: { ...given, molecule_end: end } } },
  };

  it('says nothing of a message', () => {
    const own = { method: 'message/send', params: { message: { metadata: { note: 'kept' } } } };
    expect(withoutReply(request, false)).toEqual(own);
    expect(withoutReply(own, true)).toBe(own);
  });

  it('has what a workspace claims apart, for who knows better', () => {
    const { metadata = {} } = withoutReply(request, true).params as { metadata?: JsonObject };
    expect(metadata).toEqual({ claimed_reply: { in_reply_to: 'm-1', molecule_end: end } });
    expect(claimedReply(metadata)).toBe('m-1');
    const known = { in_reply_to: 'm-1', molecule_end: end, note: 'kept' };
    expect(withClaimedReply({ ...metadata, note: 'kept' }, true)).toEqual(known);
    expect(withClaimedReply({ ...metadata, note: 'kept' }, false)).toEqual({ note: 'kept' });
    const message = { role: 'user', parts: [{ kind: 'text', text: 'done' }] };
    const request_body = { params: { metadata, message } };
    const row = { id: 'r', type: 'a2a_receive', source_id: 'p-1', request_body };
    const sent = { hasSent: (id: string, peer: string) => id === 'm-1' && peer === 'p-1' };
    const answer = parseActivityRow(row, sent);
    expect(answer).toMatchObject({ inReplyTo: 'm-1', metadata: { molecule_end: end }, expectsAnswer: false });
    const text = '[A2A_RESULT_FROM_PEER]done[/A2A_RESULT_FROM_PEER]';
    expect(answer).toMatchObject({ text, parts: [{ kind: 'text', text }] });
    // It is stored as a row.
    expect(parseActivityRow(answer?.raw ?? null)).toEqual(answer);
    for (const other of [parseActivityRow(row), parseActivityRow({ ...row, source_id: 'p-2' }, sent)]) {
      expect(other).toMatchObject({ inReplyTo: '', metadata: {}, expectsAnswer: true });
    }
    expect(claimedReply({ claimed_reply: 'm-1' })).toBe('');
    expect(withoutReply({ params: { metadata: { state: 'x' } } }, true)).toEqual({
      params: { metadata: {} },
    });
  });
});
