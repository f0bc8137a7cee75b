import { expect } from 'vitest';
import { type Caller, textAt, valueAt } from './harness/http.ts';
import { onboard } from './harness/members.ts';
import { onEachDatabase } from './harness/test-environment.ts';
import { verifies } from './verifies.ts';

const V03 = { 'a2a-version': '0.3' };
const MESSAGE_03 = {
  kind: 'message',
  messageId: 'm',
  role: 'user',
  parts: [{ kind: 'text', text: 'paint' }],
};
const MESSAGE_10 = { messageId: 'm', role: 'ROLE_USER', parts: [{ text: 'paint' }] };

interface Status {
  readonly state: string;
  readonly text?: string;
}

function task({ state, text }: Status, id = 'task-7') {
  const message = { role: 'agent', messageId: 's', parts: [{ kind: 'text', text }] };
  const status = { state, ...(text === undefined ? {} : { message }) };
  const artifacts = state === 'completed' ? [{ artifactId: 'a', parts: [{ kind: 'text', text }] }] : [];
  return { kind: 'task', id, contextId: 'c', status, artifacts };
}

function taskOf10({ state, text }: Status) {
  const message = { role: 'ROLE_AGENT', messageId: 's', parts: [{ text }] };
  const status = { state, ...(text === undefined ? {} : { message }) };
  return { task: { id: 'task-7', contextId: 'c', status } };
}

function call(
  caller: Caller,
  workspaceId: string,
  method: string,
  params: Record<string, unknown>,
  headers = {},
) {
  return caller.post(`/workspaces/${workspaceId}/a2a`, { jsonrpc: '2.0', id: 'r', method, params }, headers);
}

onEachDatabase('tasks of agents', (environment) => {
  const start = async () => {
    const platform = await environment.platform({
      server: { contractCheck: 'responses' },
      security: { allowAgentNetworks: ['127.0.0.0/8'] },
    });
    const state: { result: () => unknown | Promise<unknown> } = { result: () => null };
    const agent = await environment.scriptedAgent({
      script: async ({ body }) => {
        if (/cancel/i.test(textAt(body, 'method'))) return { kind: 'json', status: 404, body: {} };
        return { kind: 'json', body: { jsonrpc: '2.0', id: 1, result: await state.result() } };
      },
    });
    const [{ caller }, { id }] = [await onboard(platform), await onboard(platform, { url: agent.url })];
    return { platform, agent, caller, id, state };
  };

  verifies('rpc.queued-is-a-task', 'at once: push', async () => {
    const { agent, caller, id, state } = await start();
    for (const [turn, [send, get, message, configuration, passed, headers]] of [
      [
        'message/send',
        'tasks/get',
        MESSAGE_03,
        { blocking: false, historyLength: 2 },
        { historyLength: 2 },
        V03,
      ],
      ['SendMessage', 'GetTask', MESSAGE_10, { returnImmediately: true, x: [1] }, { x: [1] }, {}],
      [
        'SendMessage',
        'GetTask',
        MESSAGE_10,
        { blocking: true, returnImmediately: true },
        { blocking: true },
        {},
      ],
    ].entries() as unknown as [number, [string, string, object, object, object, object]][]) {
      let finish = () => {};
      const finished = new Promise<void>((resolve) => {
        finish = resolve;
      });
      state.result = async () => {
        await finished;
        return task({ state: 'completed', text: 'Painted.' }, `task-${turn}`);
      };
      const sent = { ...message, messageId: `m-${turn}`, contextId: 'c' };
      const params = { message: sent, configuration };
      const { body } = await call(caller, id, send, params, headers);
      const taskId = textAt(body, 'result', ...(send === 'SendMessage' ? ['task'] : []), 'id');
      const pushed = (await agent.received(turn + 1))[turn];
      expect(valueAt(pushed?.body, 'params', 'configuration')).toEqual(passed);
      if (send === 'SendMessage') expect(valueAt(pushed?.body, 'params', 'message')).toEqual(sent);
      const open = await call(caller, id, get, { id: taskId }, headers);
      expect(textAt(open.body, 'result', 'status', 'state')).toMatch(/submitted$/i);
      finish();
      const record = await caller.get(
        `/workspaces/${textAt(pushed?.headers, 'x-workspace-id')}/messages/m-${turn}?wait=20`,
      );
      expect(record.body).toMatchObject({ state: 'answered' });
      const done = await call(caller, id, get, { id: taskId }, headers);
      expect(textAt(done.body, 'result', 'id')).toBe(taskId);
      expect(textAt(done.body, 'result', 'status', 'state')).toMatch(/completed$/i);
      expect(textAt(done.body, 'result', 'artifacts', 0, 'parts', 0, 'text')).toContain('Painted.');
    }
  });

  verifies('rpc.tasks-get.agent-task', 'tasks get: id', async () => {
    const { platform, agent, caller, id, state } = await start();
    let ask = () => {};
    const mayAsk = new Promise<void>((resolve) => {
      ask = resolve;
    });
    state.result = async () => {
      await mayAsk;
      return task({ state: 'input-required', text: 'Which colour?' });
    };
    const params = { message: MESSAGE_03, configuration: { blocking: false } };
    const taskId = textAt((await call(caller, id, 'message/send', params, V03)).body, 'result', 'id');
    const [first] = await agent.received(1);
    ask();
    await caller.get(`/workspaces/${textAt(first?.headers, 'x-workspace-id')}/messages/m?wait=20`);
    for (const method of ['tasks/get', 'GetTask']) {
      const asked = await call(caller, id, method, { id: taskId });
      expect(asked.body).toMatchObject({
        result: { id: taskId, contextId: 'c', metadata: { agent_task_id: 'task-7', message_id: 'm' } },
      });
      expect(textAt(asked.body, 'result', 'status', 'message', 'parts', 0, 'text')).toContain(
        'Which colour?',
      );
    }
    const byAgent = await call(caller, id, 'tasks/get', { id: 'task-7' });
    expect(byAgent.body).toMatchObject({ result: { id: 'task-7' } });
    state.result = () => task({ state: 'completed', text: 'Painted: blue' });
    for (const [turn, named] of [taskId, 'task-7', taskId.toUpperCase()].entries()) {
      const message = { ...MESSAGE_03, messageId: `m-${turn}`, taskId: named, contextId: 'c' };
      await call(caller, id, 'message/send', { message }, { ...V03, 'x-timeout': '20' });
      const pushed = (await agent.received(turn + 2)).at(-1);
      expect(textAt(pushed?.body, 'params', 'message', 'taskId')).toBe('task-7');
      const done = await call(caller, id, 'tasks/get', { id: taskId });
      expect(done.body).toMatchObject({ result: { id: taskId, status: { state: 'completed' } } });
      expect(textAt(done.body, 'result', 'artifacts', 0, 'parts', 0, 'text')).toContain('Painted: blue');
    }
    // Somebody else does not continue it.
    const other = await onboard(platform);
    const message = { ...MESSAGE_03, messageId: 'm-other', taskId, contextId: 'c' };
    await call(other.caller, id, 'message/send', { message }, { ...V03, 'x-timeout': '20' });
    const pushed = (await agent.received(5)).at(-1);
    expect(textAt(pushed?.body, 'params', 'message', 'taskId')).toBe(taskId);
  });

  verifies('rpc.tasks-get', 'tasks: state of agent', async () => {
    const { caller, id, state } = await start();
    for (const [turn, [method, message, result, shown]] of [
      ['message/send', MESSAGE_03, task({ state: 'working', text: 'Mixing.' }), 'working'],
      ['message/send', MESSAGE_03, task({ state: 'submitted' }), 'submitted'],
      ['SendMessage', MESSAGE_10, taskOf10({ state: 'TASK_STATE_WORKING', text: 'Mixing.' }), 'working'],
      ['SendMessage', MESSAGE_10, taskOf10({ state: 'TASK_STATE_INPUT_REQUIRED' }), 'input-required'],
    ].entries() as unknown as [number, [string, object, object, string]][]) {
      state.result = () => result;
      const messageId = `m-${turn}`;
      await call(caller, id, method, { message: { ...message, messageId } }, { 'x-timeout': '20' });
      const of10 = `TASK_STATE_${shown.toUpperCase().replace('-', '_')}`;
      for (const [name, word] of [
        ['tasks/get', shown],
        ['tasks/cancel', shown],
        ['GetTask', of10],
      ] as const) {
        const { status, body } = await call(caller, id, name, { id: messageId });
        expect({ status, state: valueAt(body, 'result', 'status', 'state') }).toEqual({
          status: 200,
          state: word,
        });
        if (JSON.stringify(result).includes('Mixing.')) {
          expect(textAt(body, 'result', 'status', 'message', 'parts', 0, 'text')).toContain('Mixing.');
        }
      }
    }
  });
});
