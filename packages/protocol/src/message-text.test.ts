import { describe, expect, it } from 'vitest';
import { buildAnswer, buildSendMessage, SendMessageRequest, textPart } from './message.ts';
import { extractAnswerText, extractMessageText, extractParts } from './message-text.ts';
import type { JsonValue } from './open-json.ts';

const kind = { kind: 'text', text: 'hi' };
const type = { type: 'text', text: 'hi' };

const requests: Array<[string, JsonValue]> = [
  ['params.message.parts', { params: { message: { parts: [kind] } } }],
  ['params.parts', { params: { parts: [type] } }],
  ['parts', { parts: [kind] }],
  ['message.parts', { message: { parts: [type] } }],
  ['message', { message: 'hi' }],
  ['params.message', { params: { message: 'hi' } }],
  ['task', { task: 'hi' }],
  ['summary', { summary: 'hi' }],
  ['a text', 'hi'],
];

const answers: Array<[string, JsonValue]> = [
  ['result', { result: 'hi' }],
  ['result.parts', { result: { kind: 'message', parts: [kind] } }],
  ['result.parts, type', { result: { parts: [type] } }],
  ['result.parts, bare', { result: { parts: [{ text: 'hi' }] } }],
  ['result.parts, root', { result: { parts: [{ root: kind }] } }],
  ['result.message.parts', { result: { message: { parts: [kind] } } }],
  ['result.artifacts', { result: { status: 'completed', artifacts: [{ parts: [type] }] } }],
  ['result.status.message', { result: { status: { state: 'completed', message: { parts: [kind] } } } }],
  ['result.task.artifacts', { result: { task: { artifacts: [{ parts: [{ text: 'hi' }] }] } } }],
  ['result.text', { result: { text: 'hi' } }],
  ['text', { text: 'hi' }],
  ['bare message', { kind: 'message', parts: [kind] }],
  ['status ok', { status: 'ok', result: { parts: [kind] } }],
];

describe('extracting text', () => {
  it.each(requests)('reads a request with %s', (_name, body) => {
    expect(extractMessageText(body)).toBe('hi');
  });

  it.each(answers)('reads an answer with %s', (_name, body) => {
    expect(extractAnswerText(body)).toBe('hi');
  });

  it('joins several text parts by newlines and skips the others', () => {
    const parts = [kind, { kind: 'file', file: { uri: 'x' } }, { root: { type: 'text', text: 'there' } }];
    expect(extractMessageText({ parts })).toBe('hi\nthere');
    expect(extractAnswerText({ result: { artifacts: [{ parts: [kind] }, { parts: [type] }] } })).toBe(
      'hi\nhi',
    );
  });

  it('tries the next place when one has no text, and error messages last', () => {
    expect(extractAnswerText({ result: { parts: [], text: 'later' } })).toBe('later');
    expect(extractAnswerText({ error: { code: -32601, message: 'no' } })).toBe('no');
    expect(extractAnswerText({ error: 'plain' })).toBe('plain');
    expect(extractAnswerText({ result: { history: [{ parts: [kind] }] } })).toBe('');
  });

  it('does not take other kinds for text', () => {
    expect(extractMessageText({ parts: [{ kind: 'data', text: 'no' }] })).toBe('');
  });

  it('returns an empty text for anything else', () => {
    for (const body of [
      undefined,
      null,
      1,
      true,
      [],
      {},
      { result: null },
      { params: [] },
      { parts: [null, 5, []] },
    ]) {
      expect(extractMessageText(body as JsonValue)).toBe('');
      expect(extractAnswerText(body as JsonValue)).toBe('');
      expect(extractParts(body as JsonValue)).toEqual([]);
    }
  });

  it('gives the parts unwrapped', () => {
    expect(extractParts({ params: { message: { parts: [{ root: kind }, 'bare'] } } })).toEqual([
      kind,
      textPart('bare'),
    ]);
    expect(extractParts({ result: { artifacts: [{ parts: [type] }] } })).toEqual([type]);
  });
});

describe('builders', () => {
  it('build what strict readers take', () => {
    const built = buildSendMessage({ messageId: 'm1', text: 'hi', metadata: { in_reply_to: 'm0' } });
    expect(SendMessageRequest.strict.parse(built)).toEqual(built);
    expect(built).toMatchObject({ id: 'm1', params: { message: { role: 'user', parts: [textPart('hi')] } } });
    expect(
      buildSendMessage({ id: 3, messageId: 'm', role: 'agent', contextId: 'c', parts: [textPart('x')] }),
    ).toMatchObject({ id: 3, params: { message: { role: 'agent', contextId: 'c' } } });
    expect(buildAnswer({ id: 'r', messageId: 'm', text: 'hi' })).toEqual({
      jsonrpc: '2.0',
      id: 'r',
      result: { kind: 'message', role: 'agent', messageId: 'm', parts: [textPart('hi')] },
    });
  });
});
