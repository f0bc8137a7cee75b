import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { extractMessageText, extractParts } from './message-text.ts';
import { viewMessage } from './message-view.ts';
import type { JsonObject, JsonValue } from './open-json.ts';

const part = { kind: 'text', text: 'hi' };

const shapes: Array<[string, JsonObject]> = [
  [
    'a JSON-RPC call',
    { jsonrpc: '2.0', id: 1, method: 'message/send', params: { message: { parts: [part] } } },
  ],
  ['a call without an envelope', { method: 'message/send', params: { message: { parts: [part] } } }],
  ['params.parts', { params: { parts: [part] } }],
  ['params.message as a text', { params: { message: 'hi' } }],
  ['params.text', { params: { text: 'hi' } }],
  ['a bare message', { message: { parts: [part] } }],
  ['a bare text', { message: 'hi' }],
  ['bare parts', { role: 'user', parts: [part] }],
  ['a task', { task: 'hi' }],
];

describe('viewMessage', () => {
  it.each(shapes)('reads %s', (_name, envelope) => {
    const view = viewMessage(envelope);
    expect(view).toMatchObject({ role: 'user', messageId: '', inReplyTo: '', expectsAnswer: true });
    expect(view.text).toBe('hi');
    expect(view.envelope).toBe(envelope);
  });

  it('gives every fact of a message', () => {
    const message = {
      role: 'user',
      messageId: 'm1',
      contextId: 'c1',
      parts: [part, { root: part }],
      metadata: { a: 1, trace_id: 't1', delegation_id: 'd1' },
    };
    const params = { message, metadata: { a: 0, b: 2, trace_id: 't0' } };
    const view = viewMessage({ jsonrpc: '2.0', id: 1, method: 'message/stream', params });
    expect(view).toMatchObject({
      method: 'message/stream',
      params,
      message,
      messageId: 'm1',
      contextId: 'c1',
      traceId: 't1',
      delegationId: 'd1',
      metadata: { a: 1, b: 2 },
    });
    expect(view.parts).toEqual([part, part]);
    expect(view.parts).toBe(view.parts);
    expect(view.text).toBe('hi\nhi');
  });

  it.each<[JsonValue, boolean]>([
    [{}, true],
    [{ role: 'user' }, true],
    [{ role: 'ROLE_USER' }, true],
    [{ role: 'agent' }, false],
    [{ role: 'ROLE_AGENT' }, false],
    [{ metadata: { in_reply_to: 'q' } }, false],
    [{ metadata: { in_reply_to: '' } }, true],
    [{ metadata: { in_reply_to: 7 } }, false],
    [{ metadata: { in_reply_to: { id: 'q' } } }, true],
  ])('of the message %j expects an answer: %s', (message, expected) => {
    expect(viewMessage({ params: { message } }).expectsAnswer).toBe(expected);
    expect(viewMessage({ message }).expectsAnswer).toBe(expected);
  });

  it('finds what is answered in the metadata of the params as well', () => {
    const metadata = { in_reply_to: 'q' };
    const view = viewMessage({ params: { message: {}, metadata } });
    expect(view).toMatchObject({ inReplyTo: 'q', expectsAnswer: false });
    const own = viewMessage({ params: { message: { metadata: { in_reply_to: '' } }, metadata } });
    expect(own).toMatchObject({ inReplyTo: '', expectsAnswer: true });
  });

  it('reads requests that carry no message', () => {
    const view = viewMessage({ jsonrpc: '2.0', id: 1, method: 'tasks/cancel', params: { id: 'm1' } });
    expect(view).toMatchObject({ method: 'tasks/cancel', params: { id: 'm1' }, message: {}, text: '' });
    expect(view.parts).toEqual([]);
  });

  it('cannot be changed', () => {
    const view = viewMessage({ message: { parts: [part], metadata: { a: 1 } } });
    expect([view, view.parts, view.metadata].map(Object.isFrozen)).toEqual([true, true, true]);
  });

  it('survives any JSON', () => {
    const envelopes = [undefined, null, 1, 'x', true, [], {}];
    for (const junk of envelopes) {
      expect(viewMessage(junk).text).toBe('');
      for (const key of ['params', 'message', 'method', 'parts']) {
        if (typeof junk === 'string' || junk === undefined) continue;
        expect(viewMessage({ [key]: junk, params: { message: junk, metadata: junk } }).role).toBe('user');
      }
    }
  });

  it('reads the same text and parts as the rows of the vectors carry', () => {
    const file = new URL('../../../test/vectors/inbound-parse.json', import.meta.url);
    const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: Array<{ row: JsonValue }> };
    const bodies = cases.map(({ row }) => (row as JsonObject | null)?.request_body);
    expect(bodies.some((body) => viewMessage(body).text !== '')).toBe(true);
    for (const body of bodies) {
      if (typeof body === 'string') continue;
      expect(viewMessage(body).text).toBe(extractMessageText(body));
      expect(viewMessage(body).parts).toEqual(extractParts(body));
    }
  });
});
