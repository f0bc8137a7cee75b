import { describe, expect, it } from 'vitest';
import { toA2a1Response, toA2a1TaskResponse } from './a2a-1-responses.ts';
import type { JsonObject } from './open-json.ts';

const ABOUT = { id: 'row', contextId: 'c' };
const ANSWER = { messageId: 'answer-row', contextId: 'c', role: 'ROLE_AGENT', parts: [{ text: 'hi' }] };

const shown = (result: unknown) =>
  toA2a1Response({ jsonrpc: '2.0', id: 1, result } as JsonObject, ABOUT).result;

describe('a result in the form of A2A 1.0', () => {
  it.each<[string, unknown]>([
    ['a text', 'hi'],
    ['a message', { kind: 'message', role: 'agent', parts: [{ kind: 'text', type: 'text', text: 'hi' }] }],
    ['bare parts', { parts: [{ type: 'text', text: 'hi' }] }],
    ['a message of older agents', { message: { role: 'agent', parts: [{ type: 'text', text: 'hi' }] } }],
    ['a text beside a status', { status: 'ok', text: 'hi' }],
    ['nested parts', { parts: [{ root: { kind: 'text', text: 'hi' } }] }],
  ])('from %s is a message', (_name, result) => {
    expect(shown(result)).toEqual({ message: ANSWER });
  });

  it('from a bare body is a message', () => {
    expect(toA2a1Response({ text: 'hi' }, ABOUT)).toEqual({
      jsonrpc: '2.0',
      id: null,
      result: { message: ANSWER },
    });
  });

  it.each<[string, unknown, unknown]>([
    [
      'the artifacts of old agents',
      { status: 'completed', artifacts: [{ parts: [{ type: 'text', text: 'hi' }] }] },
      {
        status: { state: 'TASK_STATE_COMPLETED' },
        artifacts: [{ artifactId: 'artifact-0', parts: [{ text: 'hi' }] }],
      },
    ],
    [
      'a task that was given a text',
      { kind: 'task', status: { state: 'completed' }, text: 'hi' },
      {
        status: { state: 'TASK_STATE_COMPLETED' },
        artifacts: [{ artifactId: 'answer-row', parts: [{ text: 'hi' }] }],
      },
    ],
    [
      'a task inside',
      { task: { id: 't', contextId: 'own', status: { state: 'input-required' } } },
      { id: 't', contextId: 'own', status: { state: 'TASK_STATE_INPUT_REQUIRED' } },
    ],
    [
      'an unknown state',
      { kind: 'task', status: { state: 'done' } },
      { status: { state: 'TASK_STATE_UNSPECIFIED' } },
    ],
    [
      'a status with a message',
      {
        kind: 'task',
        status: {
          state: 'cancelled',
          message: { kind: 'message', role: 'user', parts: [{ kind: 'text', text: 'x' }] },
        },
        history: [{ role: 'agent', messageId: 'h', parts: [{ kind: 'text', text: 'y' }] }],
      },
      {
        status: {
          state: 'TASK_STATE_CANCELED',
          message: { messageId: 'status-row', role: 'ROLE_USER', parts: [{ text: 'x' }] },
        },
        history: [{ messageId: 'h', role: 'ROLE_AGENT', parts: [{ text: 'y' }] }],
      },
    ],
  ])('from %s is a task', (_name, result, task) => {
    expect(shown(result)).toEqual({ task: { id: 'row', contextId: 'c', ...(task as object) } });
  });

  it('has files and data as 1.0 writes them', () => {
    const file = { name: 'a.txt', mimeType: 'text/plain', uri: 'https://files.example/a' };
    const parts = [
      { kind: 'file', file, metadata: { page: 1 } },
      { kind: 'file', file: { bytes: 'aGk=' } },
      { kind: 'data', data: { a: 1 } },
    ];
    expect(shown({ kind: 'message', role: 'agent', messageId: 'own', parts })).toMatchObject({
      message: {
        messageId: 'own',
        parts: [
          { url: file.uri, filename: 'a.txt', mediaType: 'text/plain', metadata: { page: 1 } },
          { raw: 'aGk=' },
          { data: { a: 1 } },
        ],
      },
    });
  });

  it('is passed on when it has that form, and so is an error', () => {
    const message = { message: { role: 'ROLE_AGENT', parts: [{ text: 'hi' }], extensions: ['x'] } };
    const task = { task: { id: 't', status: { state: 'TASK_STATE_WORKING' }, more: 1 } };
    for (const result of [message, task]) expect(shown(result)).toBe(result);
    const failed = { jsonrpc: '2.0', id: 1, error: { code: -32005, message: 'no' } };
    expect(toA2a1Response(failed, ABOUT)).toBe(failed);
    expect(toA2a1TaskResponse(failed)).toBe(failed);
  });
});
