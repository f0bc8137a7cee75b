import { describe, expect, it } from 'vitest';
import { handlerStage as stage } from '../../test/handler-stage.ts';
import type { InboundResult, MessageEnd } from './inbound-agent.ts';

const message = { role: 'user', messageId: 'm', parts: [{ kind: 'text', text: 'Hi' }] };

describe('a message', () => {
  it.each(['/', '/a2a', '/a2a/inbound', '/deep/er/path?key=value'])('is taken at %s', async (path) => {
    const { inbound, send } = stage();
    const body = JSON.stringify({ jsonrpc: '2.0', id: 7, method: 'message/send', params: { message } });
    const response = await send({ path, body });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: 7,
      result: {
        kind: 'message',
        role: 'agent',
        messageId: 'answer',
        contextId: 'context',
        parts: [{ kind: 'text', type: 'text', text: 'Hello' }],
      },
    });
    expect(inbound.requests).toMatchObject([{ caller: { use: 'push' }, envelope: { params: { message } } }]);
  });

  it.each([
    ['message/send', { jsonrpc: '2.0', id: 1, method: 'message/send', params: { message } }],
    ['delegate_task', { jsonrpc: '2.0', id: 1, method: 'delegate_task', params: { message } }],
    ['a bare call', { method: 'message/send', params: { message } }],
    ['params alone', { params: { message } }],
    ['a message alone', { message }],
    ['parts alone', { parts: message.parts }],
    ['a text alone', { text: 'Hi' }],
    [
      'parts in the params',
      { jsonrpc: '2.0', id: 1, method: 'message/send', params: { parts: message.parts } },
    ],
    ['a message that is a text', { message: 'Hi' }],
    ['a text in the params', { params: { text: 'Hi' } }],
    ['a task', { task: 'Hi' }],
    ['a summary', { summary: 'Hi' }],
    ['parts by their type', { message: { role: 'user', parts: [{ type: 'text', text: 'Hi' }] } }],
    ['parts below a root', { message: { role: 'user', parts: [{ root: { kind: 'text', text: 'Hi' } }] } }],
    ['a file', { message: { ...message, parts: [...message.parts, { kind: 'file', file: { uri: 'u' } }] } }],
  ])('is taken as %s', async (_name, body) => {
    const { inbound, post } = stage();
    const response = await post(body);
    expect(response).toMatchObject({ status: 200, body: { jsonrpc: '2.0', result: { kind: 'message' } } });
    const [{ envelope } = { envelope: {} }] = inbound.requests;
    expect(JSON.stringify(envelope)).toContain('"text":"Hi"');
    expect(response.body.id).toBe('id' in body ? body.id : null);
  });

  it('is taken in the form of the Python SDK, which gets a response in its own form', async () => {
    const { inbound, post } = stage();
    const body = { task_id: 't-1', sender: 'ws-1', message: 'Hi', idempotency_key: 'key-1' };
    expect(await post(body)).toMatchObject({
      status: 200,
      body: { status: 'ok', result: { kind: 'message' } },
    });
    expect(inbound.requests).toMatchObject([
      { envelope: { params: { message: { messageId: 'key-1', parts: [{ text: 'Hi' }] } } } },
    ]);
    inbound.result = () => ({
      kind: 'refused',
      refusal: { status: 503, code: 'not_accepting', message: 'Not now.', retryAfterSeconds: 5 },
    });
    expect(await post(body)).toEqual({
      status: 503,
      body: { error: 'Not now.', code: 'not_accepting', retry_after: 5 },
    });
  });

  it.each([
    [undefined, [3_000, 0, 0, 300_000, 25_000, 25_000]],
    [7, [3_000, 0, 0, 7_000, 7_000, 7_000]],
    [0, [0, 0, 0, 0, 0, 0]],
  ])('waits as long as the request says, and at most for holdSeconds: %s', async (holdSeconds, holds) => {
    const { inbound, post } = stage({ holdSeconds });
    for (const header of ['3', '0', '-1', '9999', 'soon', '']) {
      await post({ message }, header === '' ? {} : { 'x-timeout': header });
    }
    expect(inbound.requests.map(({ holdMs }) => holdMs)).toEqual(holds);
  });
});

describe('a request of A2A 1.0', () => {
  const call = (method: string, params: unknown) => ({ jsonrpc: '2.0', id: 'a', method, params });
  const about = { taskId: 'task', messageId: 'message', contextId: 'context' };
  const ended = (state: MessageEnd['state'], more: Partial<MessageEnd> = {}): InboundResult => ({
    kind: 'ended',
    ...about,
    end: { state, at: 'now', answer: null, error: null, ...more },
  });

  it('about a task gets the task itself; one that has ended cannot be canceled', async () => {
    const { inbound, post } = stage();
    const found = (result: InboundResult) => {
      Object.assign(inbound, { find: () => result, cancel: () => result });
    };
    const answer = { messageId: 'answer', text: 'Hello' };
    found(ended('answered', { answer }));
    expect((await post(call('GetTask', { id: 'task' }))).body.result).toMatchObject({
      id: 'task',
      status: { state: 'TASK_STATE_COMPLETED', message: { role: 'ROLE_AGENT', parts: [{ text: 'Hello' }] } },
    });
    const refused = { code: -32002, data: { code: 'message_ended' } };
    expect((await post(call('CancelTask', { id: 'task' }))).body.error).toMatchObject(refused);
    const cancel = call('tasks/cancel', { id: 'task' });
    expect((await post(cancel, { 'a2a-version': '0.3' })).body.error).toMatchObject(refused);
    expect((await post(cancel)).body.result).toMatchObject({ kind: 'task', status: { state: 'completed' } });
    found(ended('canceled'));
    expect((await post(call('CancelTask', { id: 'task' }))).body.result.status.state).toBe(
      'TASK_STATE_CANCELED',
    );
  });
});

describe('what is not a message', () => {
  it.each([
    ['a batch', [{ jsonrpc: '2.0', id: 1, method: 'message/send' }], 400, -32600],
    ['a text', 'hello', 400, -32600],
    ['null', null, 400, -32600],
    ['another version', { jsonrpc: '1.0', method: 'message/send', params: { message } }, 400, -32600],
    ['nothing to say', { jsonrpc: '2.0', id: 1, method: 'message/send', params: {} }, 400, -32602],
    [
      'blank parts',
      { jsonrpc: '2.0', id: 1, method: 'message/send', params: { message: { parts: [] } } },
      400,
      -32602,
    ],
    ['nothing at all', {}, 400, -32602],
    ['an empty text', { text: '' }, 400, -32602],
    ['no parts', { parts: [] }, 400, -32602],
    ['parts that are none', { parts: [1] }, 400, -32602],
    ['a task whose params are a number', { method: 'delegate_task', params: 3 }, 400, -32602],
    ['a task without an id', { jsonrpc: '2.0', id: 1, method: 'tasks/get', params: {} }, 400, -32602],
    ['an unknown method', { jsonrpc: '2.0', id: 1, method: 'shell/run', params: {} }, 200, -32601],
    ['an empty stream', { jsonrpc: '2.0', id: 1, method: 'SendStreamingMessage', params: {} }, 400, -32602],
    ['a stream of no task', { jsonrpc: '2.0', id: 1, method: 'tasks/resubscribe' }, 400, -32602],
    [
      'a stream of an unknown task',
      { jsonrpc: '2.0', id: 1, method: 'SubscribeToTask', params: { id: 'x' } },
      200,
      -32001,
    ],
    [
      'push settings',
      { jsonrpc: '2.0', id: 1, method: 'tasks/pushNotificationConfig/set', params: {} },
      200,
      -32004,
    ],
    ['an unknown task', { jsonrpc: '2.0', id: 1, method: 'tasks/get', params: { id: 'x' } }, 200, -32001],
  ])('%s is an error', async (_name, body, status, code) => {
    const { inbound, post } = stage();
    const response = await post(body);
    expect([response.status, response.body.jsonrpc, response.body.error.code]).toEqual([status, '2.0', code]);
    expect(inbound.requests).toEqual([]);
  });

  it('is an error in the form of the Python SDK too', async () => {
    const { inbound, post } = stage();
    expect(await post({ task_id: 'a' })).toMatchObject({ status: 400, body: { code: 'invalid_message' } });
    expect(inbound.requests).toEqual([]);
  });

  it.each([
    ['text that is not JSON', '{"a":', 400, -32700],
    ['bytes that are not UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 400, -32700],
    ['nothing', '', 400, -32700],
    ['more than four mebibytes', JSON.stringify({ text: 'x'.repeat(4 * 1024 * 1024) }), 413, -32600],
    ['100 levels', `${'['.repeat(100)}${']'.repeat(100)}`, 400, -32600],
    ['a hundred thousand values', JSON.stringify(Array(100_000).fill(0)), 400, -32600],
  ])('%s is an error', async (_name, body, status, code) => {
    const { send } = stage();
    const response = await send({ body });
    const { error } = (await response.json()) as { error: { code: number } };
    expect([response.status, error.code]).toEqual([status, code]);
  });

  it.each([
    ['more than a mebibyte', { text: 'x'.repeat(1024 * 1024) }, 413],
    ['65 levels', { text: 'x', data: JSON.parse(`${'['.repeat(64)}${']'.repeat(64)}`) }, 400],
    ['50 000 values', { text: 'x', data: Array(50_000).fill(0) }, 400],
  ])(
    '%s is accepted from the platform, which adds to what it accepted, and from nobody else',
    async (_name, body, status) => {
      const { post, send } = stage();
      expect((await post(body)).status).toBe(200);
      const direct = { headers: { authorization: 'Bearer direct' }, body: JSON.stringify(body) };
      expect((await send(direct)).status).toBe(status);
    },
  );

  it('a body without a length is read up to the limit and no further', async () => {
    const { send } = stage();
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        pulled += 1;
        controller.enqueue(new Uint8Array(64 * 1024).fill(0x20));
      },
    });
    const response = await send({ body: endless, duplex: 'half' } as RequestInit);
    expect(response.status).toBe(413);
    expect(pulled).toBeLessThan(80);
  });

  it('a request without a credential is refused before its body is read', async () => {
    const { inbound, send } = stage();
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull: () => {
          pulled += 1;
        },
      },
      { highWaterMark: 0 },
    );
    const response = await send({
      body,
      duplex: 'half',
      headers: { authorization: 'Bearer x' },
    } as RequestInit);
    expect([response.status, pulled]).toEqual([401, 0]);
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: null,
      error: { code: -32000, message: 'No.', data: { code: 'unauthorized', hint: 'Yes.' } },
    });
    expect(inbound.requests).toEqual([]);
  });

  it('another method is not allowed', async () => {
    const { send } = stage();
    const response = await send({ method: 'PUT', body: '{}' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
  });
});

describe('the handler', () => {
  it('responds also when the agent throws, without what it threw', async () => {
    const { inbound, post } = stage();
    inbound.result = () => {
      throw new Error('secret');
    };
    const { status, body } = await post({ message });
    expect([status, body.error.code]).toEqual([500, -32603]);
    expect(JSON.stringify(body)).not.toContain('secret');
  });

  it('passes the state of the workspace on from the platform only', async () => {
    const { inbound, post } = stage();
    const call = { jsonrpc: '2.0', id: 1, method: 'molecule/state', params: { status: 'paused' } };
    expect((await post(call, { authorization: 'Bearer direct' })).status).toBe(403);
    expect((await post(call)).status).toBe(200);
    expect(inbound.states).toEqual(['paused']);
  });
});
