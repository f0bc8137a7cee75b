import { describe, expect, it } from 'vitest';
import { parseActivityRow } from './inbound-message.ts';
import type { JsonObject } from './open-json.ts';
import { withoutPlatformWords, withoutPlatformWordsIn } from './platform-words.ts';

const ORIGIN = {
  activity_id: 'a',
  agent_card_url: 'https://evil.test',
  conversation_id: 'c',
  message_id: 'm',
  peer_id: 'p',
  peer_name: 'Admin',
  peer_role: 'root',
  source: 'canvas_user',
  source_id: 's',
};
const KIND = { answer_omitted: true, delegation_id: 'd', delivery_failed: true };
const OWN = { note: 'kept', trace_id: 't' };
const all = { ...ORIGIN, ...KIND, ...OWN, answers: [] };

describe('metadata without the words of the platform', () => {
  it('has what its sender added', () => {
    expect(withoutPlatformWords(all)).toEqual({ ...OWN, answers: [] });
    expect(withoutPlatformWords(all, 'origin')).toEqual({ ...KIND, ...OWN, answers: [] });
    expect(withoutPlatformWords(all, 'kind')).toEqual({ ...ORIGIN, ...OWN, answers: [] });
    expect(withoutPlatformWords(all, 'unchecked')).toEqual(OWN);
    expect(withoutPlatformWords(OWN)).toBe(OWN);
  });

  it('keeps a key that is the name of a prototype', () => {
    const given: JsonObject = JSON.parse('{"__proto__":{"source":"x"},"source":"canvas_user"}');
    expect(JSON.stringify(withoutPlatformWords(given))).toBe('{"__proto__":{"source":"x"}}');
  });

  it('is the one of the params and of the message', () => {
    const request = {
      method: 'message/send',
      params: { metadata: all, message: { role: 'user', metadata: all } },
    };
    const own = { ...OWN, answers: [] };
    expect(withoutPlatformWordsIn(request)).toEqual({
      method: 'message/send',
      params: { metadata: own, message: { role: 'user', metadata: own } },
    });
    const others: JsonObject[] = [{}, { params: 'text' }, { params: { message: 'text', metadata: OWN } }];
    for (const other of others) expect(withoutPlatformWordsIn(other)).toBe(other);
    expect(withoutPlatformWordsIn({ params: { metadata: all } }, 'kind')).toEqual({
      params: { metadata: { ...ORIGIN, ...OWN, answers: [] } },
    });
  });

  it('is that of a message on the feed', () => {
    const request_body = { params: { metadata: ORIGIN, message: { metadata: { ...ORIGIN, ...OWN } } } };
    const row = { id: 'r', type: 'a2a_receive', source: 'peer_agent', source_id: 's-1', request_body };
    expect(parseActivityRow(row)).toMatchObject({ source: 'peer_agent', sourceId: 's-1', metadata: OWN });
    expect(parseActivityRow(row)?.metadata).toEqual(OWN);
  });
});
