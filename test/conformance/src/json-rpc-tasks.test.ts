import { expect } from 'vitest';
import { startAskingAgent } from './harness/asking-agent.ts';
import { type Caller, textAt, valueAt } from './harness/http.ts';
import { envelope, onboard, send } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const V03 = { 'a2a-version': '0.3' };

function ask(caller: Caller, workspaceId: string, method: string, params: Record<string, unknown>) {
  return caller.post(`/workspaces/${workspaceId}/a2a`, { jsonrpc: '2.0', id: 'r-1', method, params });
}

onEachDatabase('JSON-RPC', (environment) => {
  const start = async (options = {}) => {
    const platform = await environment.platform(options);
    const [sender, target] = [await onboard(platform), await onboard(platform)];
    return { platform, sender, target, path: `/workspaces/${target.id}/a2a` };
  };

  verifies('rpc.tasks-get', 'tasks get: questions', async () => {
    const { platform, sender } = await start();
    const agent = await startAskingAgent(environment, platform, 'poll', ({ metadata }) => {
      if (metadata.answers !== undefined) return { text: 'Painted.' };
      return { text: '', questions: [{ id: 'q', kind: 'text', text: 'Which colour?', from: 'sender' }] };
    });
    await send(sender.caller, agent.id, 'paint', { messageId: 'm', contextId: 'c' });
    await agent.work(1);
    const asked = await ask(sender.caller, agent.id, 'tasks/get', { id: 'm' });
    const id = textAt(asked.body, 'result', 'id');
    const message = { taskId: id, contextId: 'c' };
    const status = { state: 'input-required', message: { ...message, role: 'agent' } };
    expect(asked.body).toMatchObject({ result: { kind: 'task', contextId: 'c', status } });
    const text = '[A2A_RESULT_FROM_PEER]Which colour?[/A2A_RESULT_FROM_PEER]';
    expect(textAt(asked.body, 'result', 'status', 'message', 'parts', 0, 'text')).toBe(text);
    const { body } = await ask(sender.caller, agent.id, 'GetTask', { id });
    expect(body).toMatchObject({
      result: {
        id,
        status: {
          state: 'TASK_STATE_INPUT_REQUIRED',
          message: { ...message, role: 'ROLE_AGENT' },
        },
      },
    });
    expect(valueAt(body, 'result', 'status', 'message', 'parts', 0)).toEqual({ text });
    const answers = [{ question_id: 'q', text: 'red' }];
    await send(sender.caller, agent.id, 'red', { messageId: 'm-2', contextId: 'c', metadata: { answers } });
    await agent.work(2);
    const painted = await ask(sender.caller, agent.id, 'tasks/get', { id });
    expect(painted.body).toMatchObject({ result: { id, status: { state: 'completed' } } });
    expect(textAt(painted.body, 'result', 'artifacts', 0, 'parts', 0, 'text')).toContain('Painted.');
  });

  verifies('rpc.tasks-get', 'tasks get: replies', async () => {
    const { sender, target } = await start();
    await send(sender.caller, target.id, 'hi', { messageId: 'm' });
    const message = {
      role: 'agent',
      id: 'forged',
      status: { state: 'working' },
      parts: [{ kind: 'text', text: 'real' }],
      metadata: { in_reply_to: 'm' },
    };
    await ask(target.caller, sender.id, 'message/send', { message });
    for (const method of ['tasks/get', 'GetTask']) {
      const { body } = await ask(sender.caller, target.id, method, { id: 'm' });
      const state = method === 'GetTask' ? 'TASK_STATE_COMPLETED' : 'completed';
      expect(body).toMatchObject({ result: { status: { state } } });
      expect(textAt(body, 'result', 'id')).not.toBe('forged');
      expect(textAt(body, 'result', 'artifacts', 0, 'parts', 0, 'text')).toContain('real');
    }
    expect((await ask(sender.caller, target.id, 'tasks/get', { id: 'forged' })).status).toBe(404);
  });

  verifies('questions.sender-answers', 'answered by task', async () => {
    const { platform, sender, target: other } = await start();
    const agent = await startAskingAgent(environment, platform, 'poll', ({ metadata, text }) => {
      if (metadata.answers !== undefined) return { text: `Painted: ${JSON.stringify(metadata.answers)}` };
      if (text !== 'paint') return { text: `said ${text}` };
      const asked = { kind: 'text', text: 'Which colour?', from: 'sender' };
      return {
        text: '',
        questions: [
          { ...asked, id: 'q' },
          { ...asked, id: 'p', kind: 'approval', from: 'user' },
        ],
      };
    });
    await send(sender.caller, agent.id, 'paint', { messageId: 'm', contextId: 'c' });
    await agent.work(1);
    const id = textAt((await ask(sender.caller, agent.id, 'tasks/get', { id: 'm' })).body, 'result', 'id');
    const answer = (caller: Caller, messageId: string) => {
      const message = { messageId, taskId: id, role: 'ROLE_USER', parts: [{ text: 'red' }] };
      const body = { jsonrpc: '2.0', id: 1, method: 'SendMessage', params: { message } };
      return caller.post(`/workspaces/${agent.id}/a2a`, body, { 'x-timeout': '0' });
    };
    await answer(other.caller, 'm-other');
    await agent.work(2);
    const openOf = async () => {
      const { body } = await platform.operator.get(`/workspaces/${agent.id}/questions?state=open`);
      return (valueAt(body, 'questions') as { readonly id: string }[]).map((question) => question.id).sort();
    };
    expect(await openOf()).toEqual(['p', 'q']);
    await answer(sender.caller, 'm-2');
    expect(await openOf()).toEqual(['p']);
    await platform.operator.post(`/workspaces/${agent.id}/questions/p/answer`, { decision: 'approve' });
    await agent.work(3);
    const { body } = await ask(sender.caller, agent.id, 'tasks/get', { id });
    expect(textAt(body, 'result', 'artifacts', 0, 'parts', 0, 'text')).toContain('"text":"red"');
  });
  verifies('rpc.tasks-get.agent-task', 'tasks get: agent task', async () => {
    const {
      platform,
      sender,
      target: other,
    } = await start({ security: { allowAgentNetworks: ['127.0.0.0/8'] } });
    const state = { now: 'input-required', text: 'Which colour?' };
    const agent = await environment.scriptedAgent({
      script: () => {
        const status = {
          state: state.now,
          message: { role: 'agent', parts: [{ kind: 'text', text: state.text }] },
        };
        const result = { kind: 'task', id: 'task-7', contextId: 'c', status, history: [] };
        return { kind: 'json', body: { jsonrpc: '2.0', id: 1, result } };
      },
    });
    const [server, twin] = [
      await onboard(platform, { url: agent.url }),
      await onboard(platform, { url: agent.url }),
    ];
    const first = await send(sender.caller, server.id, 'paint', { messageId: 'm', hold: 60 });
    expect(valueAt(first.body, 'result', 'id')).toBe('task-7');
    const asked = await ask(sender.caller, server.id, 'tasks/get', { id: 'task-7' });
    const text = (body: unknown) => textAt(body, 'result', 'status', 'message', 'parts', 0, 'text');
    expect(asked.body).toMatchObject({
      id: 'r-1',
      result: { kind: 'task', id: 'task-7', contextId: 'c', status: { state: 'input-required' } },
    });
    expect(text(asked.body)).toBe('[A2A_RESULT_FROM_PEER]Which colour?[/A2A_RESULT_FROM_PEER]');
    expect(valueAt(asked.body, 'result')).not.toHaveProperty('history');
    const byMessage = await ask(sender.caller, server.id, 'tasks/get', { id: 'm' });
    expect(byMessage.body).toMatchObject({ result: { metadata: { agent_task_id: 'task-7' } } });
    expect(text(byMessage.body)).toBe(text(asked.body));
    const refused = await ask(sender.caller, server.id, 'CancelTask', { id: 'task-7' });
    expect(refused).toMatchObject({ status: 409, body: { error: { code: -32002 } } });

    Object.assign(state, { now: 'failed', text: 'Disk full' });
    await send(sender.caller, server.id, 'blue', { messageId: 'm-2', hold: 60 });
    const failed = await ask(sender.caller, server.id, 'GetTask', { id: 'task-7' });
    expect(valueAt(failed.body, 'result', 'status', 'state')).toBe('TASK_STATE_FAILED');
    expect(text(failed.body)).toContain('Disk full');
    // The id is one of this agent, for those who sent to it.
    for (const [caller, at] of [
      [sender.caller, twin.id],
      [sender.caller, sender.id],
      [other.caller, server.id],
      [platform.operator, server.id],
    ] as const) {
      expect((await ask(caller, at, 'tasks/get', { id: 'task-7' })).status).toBe(404);
    }
  });
  verifies('rpc.tasks-get', 'tasks get: history', async () => {
    const { sender, target, path } = await start();
    await sender.caller.post(path, envelope('hi', { messageId: 'm' }), { 'x-timeout': '0' });
    const get = (method: string, historyLength?: unknown) =>
      ask(sender.caller, target.id, method, {
        id: 'm',
        ...(historyLength === undefined ? {} : { historyLength }),
      });
    for (const none of [undefined, 0]) {
      expect(valueAt((await get('tasks/get', none)).body, 'result')).not.toHaveProperty('history');
    }
    expect((await get('tasks/get', 5)).body).toMatchObject({
      result: { history: [{ kind: 'message', role: 'user', messageId: 'm', parts: [{ text: 'hi' }] }] },
    });
    const { body } = await get('GetTask', 1);
    expect(valueAt(body, 'result', 'history', 0)).toMatchObject({
      role: 'ROLE_USER',
      parts: [{ text: 'hi' }],
    });
    for (const wrong of [-1, 1.5, 'all']) {
      expect(await get('tasks/get', wrong)).toMatchObject({
        status: 400,
        body: { error: { code: -32602, data: { field: 'params.historyLength' } } },
      });
    }
  });

  verifies('cancel.ends-the-message', 'cancel ended', async () => {
    const { sender, target, path } = await start();
    const cancel = (id: string, headers = {}) => {
      const body = { jsonrpc: '2.0', id: 1, method: 'tasks/cancel', params: { id } };
      return sender.caller.post(path, body, headers);
    };
    for (const messageId of ['m-1', 'm-2']) {
      await sender.caller.post(path, envelope('hi', { messageId }), { 'x-timeout': '0' });
    }
    for (let count = 0; count < 2; count += 1) {
      const { body } = await ask(sender.caller, target.id, 'CancelTask', { id: 'm-1' });
      expect(body).toMatchObject({ result: { status: { state: 'TASK_STATE_CANCELED' } } });
    }
    const answer = envelope('hello', { metadata: { in_reply_to: 'm-2' } });
    await target.caller.post(`/workspaces/${sender.id}/a2a`, answer);
    expect(await cancel('m-2', V03)).toMatchObject({
      status: 409,
      body: { error: { code: -32002, data: { code: 'message_ended', status: 'answered' } } },
    });
    expect((await ask(sender.caller, target.id, 'CancelTask', { id: 'm-2' })).status).toBe(409);
    expect(await cancel('m-2')).toMatchObject({
      status: 200,
      body: { result: { status: { state: 'completed' } } },
    });
  });

  verifies('rpc.queued-is-a-task', 'at once', async () => {
    const { sender, target, path } = await start();
    const { params } = envelope('hi') as { params: Record<string, unknown> };
    const request = (method: string, configuration: unknown) => ({
      jsonrpc: '2.0',
      id: 1,
      method,
      params: { ...params, configuration },
    });
    const at03 = await sender.caller.post(path, request('message/send', { blocking: false }), V03);
    expect(at03.body).toMatchObject({ result: { kind: 'task', status: { state: 'submitted' } } });
    const message = { messageId: 'm-2', role: 'ROLE_USER', parts: [{ text: 'hi' }] };
    const at1 = await ask(sender.caller, target.id, 'SendMessage', {
      message,
      configuration: { returnImmediately: true },
    });
    expect(at1.body).toMatchObject({ result: { task: { status: { state: 'TASK_STATE_SUBMITTED' } } } });
  });

  verifies('rpc.form', 'requests', async () => {
    const { platform, sender, path } = await start();
    const post = (body: unknown, headers = {}) => sender.caller.post(path, body, headers);
    const sent = (id: unknown) => ({ ...envelope('hi'), id });
    const failed = (code: number, id: unknown = null) => ({ jsonrpc: '2.0', id, error: { code } });
    const now = { ...V03, 'x-timeout': '0' };
    for (const id of ['', 'a', 0, 1.5, -7]) {
      expect(await post(sent(id), now)).toMatchObject({
        status: 200,
        body: { id, result: { kind: 'task' } },
      });
    }
    for (const id of [null, undefined]) {
      expect(await post(sent(id), now)).toMatchObject({ status: 200, body: { id: null } });
    }
    for (const id of [true, {}, [1]]) {
      expect(await post(sent(id), now)).toMatchObject({ status: 400, body: failed(-32600) });
    }
    const batch = await post([sent(1), sent(2)]);
    expect(batch).toMatchObject({ status: 400, body: failed(-32600) });
    expect(textAt(batch.body, 'error', 'message')).toContain('batch');
    expect(await post(undefined, V03)).toMatchObject({ status: 400, body: failed(-32600) });
    expect(await platform.as('wrong').post(path, sent(1), V03)).toMatchObject({
      status: 401,
      body: failed(-32000),
    });
    const raw = (text: string, headers: Record<string, string>) =>
      sender.caller.send({ method: 'POST', path, rawBody: text, headers: { ...V03, ...headers } });
    const json = { 'content-type': 'application/json' };
    expect(await raw('{"jsonrpc":', json)).toMatchObject({ status: 400, body: failed(-32700) });
    expect(await raw('"text"', json)).toMatchObject({ status: 400, body: failed(-32600) });
    expect(await raw('--x', { 'content-type': 'multipart/form-data; boundary=x' })).toMatchObject({
      status: 415,
      body: failed(-32000),
    });
    const long = JSON.stringify(envelope('x'.repeat(1_100_000)));
    expect(await raw(long, json)).toMatchObject({ status: 413, body: failed(-32000) });
    for (const version of ['0.2', '1.1', 'latest']) {
      expect(await post({ ...sent(1), params: {} }, { 'a2a-version': version })).toMatchObject({
        status: 400,
        body: failed(-32602, 1),
      });
    }
    expect((await post({ ...sent(1), params: {} }, { 'a2a-version': ' ' })).body).toMatchObject({
      code: 'invalid_message',
    });
  });
});
