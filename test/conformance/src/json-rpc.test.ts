import { answering } from '@molecule-tests/harness';
import { expect } from 'vitest';
import { type Caller, textAt, trackCall, valueAt } from './harness/http.ts';
import { createMember, envelope, inbox, onboard, waitForRow } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const LOOPBACK = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };
const V03 = { 'a2a-version': '0.3' };

const sent = (messageId: string) => ({
  jsonrpc: '2.0',
  id: messageId,
  method: 'SendMessage',
  params: { message: { messageId, role: 'ROLE_USER', parts: [{ text: 'hello' }] } },
});

function ask(caller: Caller, workspaceId: string, method: string, id: string) {
  return caller.post(`/workspaces/${workspaceId}/a2a`, { jsonrpc: '2.0', id: 'r-1', method, params: { id } });
}

onEachDatabase('JSON-RPC', (environment) => {
  verifies('rpc.form', 'errors', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const path = `/workspaces/${target.id}/a2a`;
    const bad = { jsonrpc: '2.0', id: 7, method: 'message/send', params: { message: { parts: [] } } };
    expect(await caller.caller.post(path, bad)).toMatchObject({
      status: 400,
      body: { code: 'invalid_message' },
    });
    expect(await caller.caller.post(path, bad, V03)).toMatchObject({
      status: 400,
      body: {
        jsonrpc: '2.0',
        id: 7,
        error: {
          code: -32602,
          message: expect.stringContaining('parts'),
          data: { code: 'invalid_message', field: 'params.message.parts' },
        },
      },
    });
    const unknown = '/workspaces/11111111-2222-4333-8444-555555555555/a2a';
    expect(await platform.operator.post(unknown, envelope('hi'), V03)).toMatchObject({
      status: 404,
      body: { jsonrpc: '2.0', error: { code: -32000, data: { code: 'workspace_not_found' } } },
    });
    expect(await ask(caller.caller, target.id, 'tasks/get', 'nothing')).toMatchObject({
      status: 404,
      body: { id: 'r-1', error: { code: -32001, data: { code: 'message_not_found' } } },
    });
    const { caller: stranger } = await createMember(platform);
    expect((await stranger.post(`/workspaces/x/a2a`, envelope('hi'), V03)).body).toMatchObject({
      jsonrpc: '2.0',
      id: null,
      error: { data: { code: 'invalid_workspace_id' } },
    });
  });

  verifies('rpc.queued-is-a-task', 'queued is a task', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const path = `/workspaces/${target.id}/a2a`;
    const now = { 'x-timeout': '0' };
    const response = await caller.caller.post(path, envelope('hi', { messageId: 'm-1' }), { ...now, ...V03 });
    const [row] = await inbox(target);
    expect(response).toMatchObject({
      status: 200,
      body: {
        jsonrpc: '2.0',
        id: 'm-1',
        result: {
          kind: 'task',
          id: valueAt(row, 'id'),
          status: { state: 'submitted' },
          metadata: { message_id: 'm-1' },
        },
      },
    });
    const later = await caller.caller.post(path, sent('m-2'), now);
    expect(later.body).toMatchObject({
      id: 'm-2',
      result: { task: { status: { state: 'TASK_STATE_SUBMITTED' } } },
    });
    expect(valueAt(later.body, 'result', 'task')).not.toHaveProperty('kind');
  });

  verifies('push.rpc-error-passes', 'agent error passes', async () => {
    const platform = await environment.platform(LOOPBACK);
    const error = { code: -32005, message: 'Content type not supported' };
    const agent = await environment.scriptedAgent({
      script: () => ({ kind: 'json', status: 500, body: { jsonrpc: '2.0', id: 1, error } }),
    });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const path = `/workspaces/${target.id}/a2a`;
    expect(await caller.caller.post(path, envelope('hi', { messageId: 'm-1' }))).toMatchObject({
      status: 502,
      body: { code: 'agent_error' },
    });
    const passed = await caller.caller.post(path, envelope('hi', { messageId: 'm-2' }), V03);
    expect(passed).toMatchObject({
      status: 200,
      body: { jsonrpc: '2.0', id: 'm-2', error: { code: -32005 } },
    });
    expect(textAt(passed.body, 'error', 'message')).toContain('[A2A_RESULT_FROM_PEER]');
  });

  verifies('rpc.tasks-get', 'tasks get', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: answering('Hello back!') });
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const server = await onboard(platform, { url: agent.url });
    await caller.caller.post(`/workspaces/${target.id}/a2a`, envelope('hi', { messageId: 'm-1' }), {
      'x-timeout': '0',
    });
    const rowId = textAt((await inbox(target))[0], 'id');
    for (const [workspaceId, reference] of [
      [target.id, rowId],
      [target.id, 'm-1'],
      [caller.id, rowId],
    ] as const) {
      expect((await ask(caller.caller, workspaceId, 'tasks/get', reference)).body).toMatchObject({
        id: 'r-1',
        result: { kind: 'task', id: rowId, status: { state: 'submitted' }, metadata: { state: 'queued' } },
      });
    }
    for (const method of ['tasks/get', 'GetTask']) {
      expect((await ask(target.caller, target.id, method, rowId)).status).toBe(404);
    }
    expect(await inbox(target)).toHaveLength(1);
    await caller.caller.post(`/workspaces/${server.id}/a2a`, envelope('hi', { messageId: 'm-2' }));
    const answered = await ask(caller.caller, server.id, 'tasks/get', 'm-2');
    expect(valueAt(answered.body, 'result', 'status', 'state')).toBe('completed');
    expect(textAt(answered.body, 'result', 'artifacts', 0, 'parts', 0, 'text')).toBe(
      '[A2A_RESULT_FROM_PEER]Hello back![/A2A_RESULT_FROM_PEER]',
    );
    const inV1 = await ask(caller.caller, server.id, 'GetTask', 'm-2');
    expect(valueAt(inV1.body, 'result', 'status', 'state')).toBe('TASK_STATE_COMPLETED');
    expect(agent.requests).toHaveLength(1);
  });

  verifies('rpc.methods', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: answering('ran') });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const path = `/workspaces/${target.id}/a2a`;
    const { params } = envelope('hi');
    expect(
      await caller.caller.post(path, { jsonrpc: '2.0', id: 1, method: 'magic/do', params }),
    ).toMatchObject({
      status: 400,
      body: { id: 1, error: { code: -32601, data: { code: 'invalid_message' } } },
    });
    expect(await caller.caller.post(path, { method: 'magic/do', params })).toMatchObject({
      status: 400,
      body: { code: 'invalid_message', field: 'method' },
    });
    for (const method of [
      'tasks/list',
      'ListTasks',
      'tasks/sendSubscribe',
      'tasks/pushNotificationConfig/set',
      'CreateTaskPushNotificationConfig',
    ]) {
      expect(await caller.caller.post(path, { jsonrpc: '2.0', id: 1, method, params })).toMatchObject({
        status: 501,
        body: { error: { code: -32004, data: { code: 'not_supported' } } },
      });
    }
    expect(await inbox(target)).toEqual([]);
    expect(agent.requests).toEqual([]);
    const delegated = { method: 'delegate_task', params: { task: 'Count.' } };
    await caller.caller.post(path, delegated);
    expect((await agent.received(1))[0]?.body).toMatchObject(delegated);
  });

  verifies('rpc.a2a-versions', 'a2a 1: 0: form', async () => {
    const platform = await environment.platform(LOOPBACK);
    const agent = await environment.scriptedAgent({ script: answering('Hello back!') });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const answer = await caller.caller.post(`/workspaces/${target.id}/a2a`, sent('m-1'));
    expect(answer).toMatchObject({ status: 200, body: { jsonrpc: '2.0', id: 'm-1' } });
    expect(valueAt(answer.body, 'result', 'task', 'status', 'state')).toBe('TASK_STATE_COMPLETED');
    expect(valueAt(answer.body, 'result', 'task', 'artifacts', 0, 'parts')).toEqual([
      { text: '[A2A_RESULT_FROM_PEER]Hello back![/A2A_RESULT_FROM_PEER]' },
    ]);
    expect(JSON.stringify(answer.body)).not.toMatch(/"(kind|type)":/);
    const none = await ask(caller.caller, target.id, 'CancelTask', 'nothing');
    expect(none).toMatchObject({ status: 404, body: { error: { code: -32001 } } });
  });

  verifies('rpc.a2a-versions', 'a2a 1: 0: agent passes', async () => {
    const platform = await environment.platform(LOOPBACK);
    const message = {
      messageId: 'a-1',
      role: 'ROLE_AGENT',
      parts: [{ text: 'Hello back!' }],
      extensions: ['x'],
    };
    const agent = await environment.scriptedAgent({
      script: () => ({ kind: 'json', body: { jsonrpc: '2.0', id: 1, result: { message } } }),
    });
    const [caller, target] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    const { body } = await caller.caller.post(`/workspaces/${target.id}/a2a`, sent('m-1'));
    const parts = [{ text: '[A2A_RESULT_FROM_PEER]Hello back![/A2A_RESULT_FROM_PEER]' }];
    expect(body).toEqual({ jsonrpc: '2.0', id: 'm-1', result: { message: { ...message, parts } } });
  });

  verifies('rpc.a2a-versions', 'send message is held', async () => {
    const platform = await environment.platform();
    const [caller, target] = [await onboard(platform), await onboard(platform)];
    const held = trackCall(
      caller.caller.post(`/workspaces/${target.id}/a2a`, sent('m-1'), { 'x-timeout': '60' }),
    );
    await waitForRow(target);
    const reply = envelope('Hello back!', { metadata: { in_reply_to: 'm-1' } });
    const answered = await target.caller.post(`/workspaces/${caller.id}/a2a`, reply, V03);
    expect(answered.body).toMatchObject({ result: { kind: 'task', metadata: { delivered_to: 'caller' } } });
    const { body } = await held.response;
    expect(valueAt(body, 'result', 'message')).toMatchObject({
      role: 'ROLE_AGENT',
      parts: [{ text: '[A2A_RESULT_FROM_PEER]Hello back![/A2A_RESULT_FROM_PEER]' }],
    });
  });
});
