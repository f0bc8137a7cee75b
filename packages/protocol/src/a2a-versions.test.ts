import { describe, expect, it } from 'vitest';
import { a2aMethod, isA2a1, repairMessage, toA2a03Parts, toA2a03Request } from './a2a-versions.ts';
import { viewMessage } from './message-view.ts';
import type { JsonObject } from './open-json.ts';

describe('the version of a request', () => {
  it.each([
    ['SendMessage', undefined, true],
    ['message/send', undefined, false],
    ['message/send', '0.3', false],
    ['message/send', '1.0', true],
    ['message/send', '2', true],
    ['message/send', 'latest', false],
    ['constructor', undefined, false],
  ])('of %s with A2A-Version %s', (method, version, expected) => {
    expect(isA2a1(method, version)).toBe(expected);
  });

  it('gives each method one name', () => {
    const names = ['SendMessage', 'SendStreamingMessage', 'GetTask', 'CancelTask', 'SubscribeToTask'];
    expect(names.map(a2aMethod)).toEqual([
      'message/send',
      'message/stream',
      'tasks/get',
      'tasks/cancel',
      'tasks/resubscribe',
    ]);
    expect(['toString', 'anything'].map(a2aMethod)).toEqual(['toString', 'anything']);
    expect(viewMessage({ method: 'SendMessage' }).method).toBe('message/send');
  });
});

describe('repairMessage', () => {
  it.each<[string, JsonObject, JsonObject]>([
    ['the role', { parts: [] }, { role: 'user', parts: [] }],
    ['an empty role', { role: null, parts: [] }, { role: 'user', parts: [] }],
    [
      'kind and type',
      {
        role: 'agent',
        parts: [
          { type: 'text', text: 'a' },
          { kind: 'data', data: 1 },
          { text: 'b', x: 1 },
        ],
      },
      {
        role: 'agent',
        parts: [
          { type: 'text', text: 'a', kind: 'text' },
          { kind: 'data', data: 1, type: 'data' },
          { text: 'b', x: 1, kind: 'text', type: 'text' },
        ],
      },
    ],
    [
      'parts from content',
      { role: 'user', content: [{ text: 'a' }] },
      { role: 'user', parts: [{ text: 'a', kind: 'text', type: 'text' }] },
    ],
    [
      'parts from a text',
      { role: 'user', content: 'a' },
      { role: 'user', parts: [{ kind: 'text', type: 'text', text: 'a' }] },
    ],
    ['nothing of an unknown part', { parts: [{ x: 1 }, 7] }, { role: 'user', parts: [{ x: 1 }, 7] }],
  ])('completes %s', (_name, message, expected) => {
    expect(repairMessage(message)).toEqual(expected);
  });

  it('returns a complete message itself', () => {
    const message = { role: 'user', parts: [{ kind: 'text', type: 'x', text: 'a' }], content: 'b' };
    expect(repairMessage(message)).toBe(message);
    const empty = { role: 'user' };
    expect(repairMessage(empty)).toBe(empty);
  });
});

describe('toA2a03Request', () => {
  it('reads a request of 1.0', () => {
    const message = {
      role: 'ROLE_AGENT',
      messageId: 'm',
      parts: [
        { text: 'a' },
        { url: 'https://f.example.com/a', filename: 'a.pdf', mediaType: 'application/pdf' },
        { raw: 'AAAA', metadata: { a: 1 } },
        { data: { b: 1 } },
      ],
    };
    expect(toA2a03Request({ id: 1, method: 'SendMessage', params: { message, metadata: {} } })).toEqual({
      id: 1,
      method: 'message/send',
      params: {
        message: {
          kind: 'message',
          role: 'agent',
          messageId: 'm',
          parts: [
            { kind: 'text', type: 'text', text: 'a' },
            {
              kind: 'file',
              type: 'file',
              file: { name: 'a.pdf', mimeType: 'application/pdf', uri: 'https://f.example.com/a' },
            },
            { kind: 'file', type: 'file', file: { bytes: 'AAAA' }, metadata: { a: 1 } },
            { kind: 'data', type: 'data', data: { b: 1 } },
          ],
        },
        metadata: {},
      },
    });
    expect(toA2a03Request({ method: 'CancelTask', params: { id: 't' } })).toEqual({
      method: 'tasks/cancel',
      params: { id: 't' },
    });
  });

  it('returns a request of 0.3 itself', () => {
    const parts = [{ kind: 'text', type: 'text', text: 'a' }];
    const request = { method: 'message/send', params: { message: { role: 'user', parts } } };
    expect(toA2a03Request(request)).toBe(request);
    expect(toA2a03Parts(parts)).toBe(parts);
    const bare = { method: 'ping' };
    expect(toA2a03Request(bare)).toBe(bare);
  });
});
