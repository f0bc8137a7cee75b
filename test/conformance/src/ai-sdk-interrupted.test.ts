import { type ConversationStore, createAiSdkHandler, MemoryConversationStore } from '@molecule-ai/ai-sdk';
import type { HandlerContext, MessageHandler } from '@molecule-ai/core';
import { expectAnswered, expectStatus } from '@molecule-ai/core/testing';
import { jsonSchema, type ModelMessage, ToolLoopAgent, tool } from 'ai';
import { expect } from 'vitest';
import { AgentModel, type AgentTurn } from './harness/agent-model.ts';
import { openStage, type Stage } from './harness/handler-stage.ts';
import { verifies } from './verifies.ts';

const inputSchema = jsonSchema<object>({ type: 'object' });
const calls = (...names: string[]): AgentTurn => ({
  calls: names.map((name) => ({ name, args: {}, id: `${name}_0` })),
});

/** A model that says what comes after so many results of tools. */
const saying = (...turns: readonly AgentTurn[]) =>
  new AgentModel(({ prompt, abortSignal }) => {
    abortSignal?.throwIfAborted();
    const results = prompt.flatMap(({ role, content }) => (role === 'tool' ? content : []));
    return turns.at(results.length) ?? 'Too many.';
  });

/** The tool `deploy`, which a person has to approve, and a count of what it did. */
function deploying() {
  const deployed: number[] = [];
  const execute = async () => `deployed ${deployed.push(0)}`;
  return { deployed, deploy: tool({ inputSchema, needsApproval: true, execute }) };
}

/** A tool whose first run waits until it is aborted. */
function interrupted(abort: () => void, needsApproval = false) {
  const starts: number[] = [];
  const ask = tool({
    inputSchema,
    needsApproval,
    execute: async (_input: object, { abortSignal }) => {
      if (starts.push(0) > 1) return 'the answer';
      abort();
      throw abortSignal?.reason;
    },
  });
  return { ask, starts };
}

/** The first attempt of each message is aborted by the signal. */
const abortedBy =
  (signal: AbortSignal, handler: MessageHandler): MessageHandler =>
  (message, context) => {
    const first = AbortSignal.any([context.signal, signal]);
    return handler(message, context.attempt === 1 ? { ...context, signal: first } : context);
  };

/** As after a crash, in which the journal lost what the handler returned. */
const withoutJournal = (context: HandlerContext): HandlerContext =>
  ({ ...context, once: (_key: string, effect: () => unknown) => effect() }) as never;

async function approveAll({ operator, settled }: Stage, id: string, messageId: string) {
  for (const question of await operator.listQuestions(id, { state: 'open' }))
    await operator.answerQuestion(id, question.id, { decision: 'approve' });
  return settled(operator.waitForAnswer(id, messageId));
}

const toolLines = (model: AgentModel) => model.prompt(-1).filter((line) => line.startsWith('tool'));

for (const isStreamed of [false, true]) {
  const how = isStreamed ? 'streams' : 'generates';
  verifies(
    'adapters.handler-abort',
    `a call that is aborted has no result, in a run that ${how}`,
    async () => {
      const { operator, start, settled } = await openStage();
      const stop = new AbortController();
      const { ask, starts } = interrupted(() =>
        stop.abort(Object.assign(new Error('stopped'), { statusCode: 503 })),
      );
      const looked: number[] = [];
      const look_up = tool({ inputSchema, execute: async () => `found ${looked.push(0)}` });
      const model = saying(calls('look_up'), calls('ask'), 'Done.');
      const handler = abortedBy(stop.signal, createAiSdkHandler({ model, tools: { ask, look_up } }));
      const { id, failures } = await start((message, context) =>
        handler(isStreamed ? { ...message, method: 'message/stream' } : message, context),
      );
      expectAnswered(await settled(operator.sendMessage(id, 'Go')), 'Done.');
      expect(failures).toEqual([stop.signal.reason]);
      expect(toolLines(model)).toEqual(['tool: found 1', 'tool: the answer']);
      expect([looked.length, starts.length]).toEqual([1, 2]);
    },
  );
}

verifies('adapters.handler-abort', 'a call that a time limit of the agent aborts has no result', async () => {
  const { operator, start, settled } = await openStage();
  const limit = new AbortController();
  const { ask, starts } = interrupted(() => limit.abort(new DOMException('Too long.', 'TimeoutError')));
  const model = saying(calls('ask'), 'Done.');
  const agent = new ToolLoopAgent({ model, tools: { ask } });
  type Call = Parameters<typeof agent.generate>[0];
  const limited = {
    version: 'agent-v1' as const,
    stream: (call: never) => agent.stream(call),
    generate: (call: Call) =>
      agent.generate(starts.length > 0 ? call : { ...call, abortSignal: limit.signal }),
  };
  const { id, failures } = await start(createAiSdkHandler(limited));
  expectAnswered(await settled(operator.sendMessage(id, 'Go')), 'Done.');
  expect(failures).toHaveLength(1);
  expect(toolLines(model)).toEqual(['tool: the answer']);
});

verifies(
  'adapters.handler-abort',
  'of two approved calls, the one that was aborted is repeated',
  async () => {
    const stage = await openStage();
    const stop = new AbortController();
    const { ask, starts } = interrupted(
      () => stop.abort(Object.assign(new Error('stopped'), { statusCode: 503 })),
      true,
    );
    const { deploy, deployed } = deploying();
    const model = saying(calls('deploy', 'ask'), 'One?', 'Both.');
    const handler = createAiSdkHandler({ model, tools: { ask, deploy } });
    const { id } = await stage.start(abortedBy(stop.signal, handler));
    const asked = await stage.operator.sendMessage(id, 'Deploy');
    expectAnswered(await approveAll(stage, id, asked.messageId), 'Both.');
    expect([deployed.length, starts.length]).toEqual([1, 2]);
    expect(toolLines(model).join()).toContain('deployed 1');
    expect(toolLines(model).join()).toContain('the answer');
  },
);

verifies('adapters.handler-redelivery', 'the process ends before a finished run is deleted', async () => {
  const stage = await openStage();
  const { deploy, deployed } = deploying();
  const model = saying(calls('deploy'), 'It is deployed.');
  const agent = new ToolLoopAgent({ model, tools: { deploy } });
  // One that keeps nothing of a run before its end.
  const own = {
    version: 'agent-v1' as const,
    stream: (call: never) => agent.stream(call),
    generate: (call: Parameters<typeof agent.generate>[0]) =>
      agent.generate({ messages: call.messages ?? [] }),
  };
  const memory = new MemoryConversationStore();
  let hasFailed = false;
  const store: ConversationStore = {
    load: (key) => memory.load(key),
    save: async (key, messages) => {
      const fails = messages.length === 0 && !hasFailed;
      hasFailed ||= fails;
      if (fails) throw new Error('The database restarts.');
      await memory.save(key, messages);
    },
  };
  const { id, failures } = await stage.start(createAiSdkHandler(own, { store }));
  const asked = await stage.operator.sendMessage(id, 'Deploy');
  expectAnswered(await approveAll(stage, id, asked.messageId), 'It is deployed.');
  expect(failures).toMatchObject([{ code: 'storage_failed' }]);
  expect(deployed).toHaveLength(1);
});

verifies('adapters.handler-redelivery', 'a run without a memory whose answer was lost', async () => {
  const stage = await openStage();
  const { deploy, deployed } = deploying();
  const model = saying(calls('deploy'), 'It is deployed.');
  const rows = new Map<string, readonly ModelMessage[]>();
  const store: ConversationStore = {
    load: async (key) => rows.get(key),
    save: async (key, messages) => void (messages.length > 0 ? rows.set(key, messages) : rows.delete(key)),
  };
  const conversationId = () => 'one';
  const handler = createAiSdkHandler({ model, tools: { deploy } }, { store, conversationId, maxMessages: 0 });
  let isLost = false;
  const { id } = await stage.start(async (message, context) => {
    const answer = await handler(message, withoutJournal(context));
    if (typeof answer !== 'string' || isLost) return answer;
    isLost = true;
    throw Object.assign(new Error('lost'), { statusCode: 503 });
  });
  const asked = await stage.operator.sendMessage(id, 'Deploy');
  expectAnswered(await approveAll(stage, id, asked.messageId), 'It is deployed.');
  expect([isLost, deployed.length]).toEqual([true, 1]);
  expectStatus(await stage.operator.sendMessage(id, 'Again'), 'input-required');
  expect(model.prompt(-1).filter((line) => line.startsWith('user'))).toEqual(['user: Again']);
  // The last exchange and the run that asks, both of which a program may delete.
  expect([...rows.keys()].map((key) => key.replace(/\/.+/, '/<run>'))).toEqual(['one/', 'one/<run>']);
});

verifies('adapters.handler-own-run', 'a conversation whose id is the key of a run', async () => {
  const { operator, start } = await openStage();
  const { deploy } = deploying();
  const model = new AgentModel(calls('deploy'), 'Hello.', 'Hello again.');
  const rows = new Map<string, readonly ModelMessage[]>();
  const store: ConversationStore = {
    load: async (key) => rows.get(key),
    save: async (key, messages) => void rows.set(key, messages),
  };
  let chosen = 'one';
  const { id } = await start(
    createAiSdkHandler({ model, tools: { deploy } }, { store, conversationId: () => chosen }),
  );
  expectStatus(await operator.sendMessage(id, 'Deploy'), 'input-required');
  const [key = ''] = rows.keys();
  expect(key).toMatch(/^one\/[\w-]+$/);
  for (chosen of [key, key.replace('/', '%2F')]) {
    expectAnswered(await operator.sendMessage(id, 'Hello'));
    expect(model.prompt(-1).filter((line) => !line.startsWith('system'))).toEqual(['user: Hello']);
  }
  const conversations = [...rows.keys()].filter((each) => !each.includes('/'));
  expect(conversations).toEqual([key.replace('/', '%2F'), key.replace('/', '%252F')]);
});

verifies('adapters.handler-approvals', 'a run that asks again beside a call that needs none', async () => {
  const stage = await openStage();
  const { deploy, deployed } = deploying();
  const looked: number[] = [];
  const look_up = tool({ inputSchema, execute: async () => `found ${looked.push(0)}` });
  const model = saying(calls('deploy'), calls('look_up', 'deploy'), 'unreached', 'Both.');
  const memory = new MemoryConversationStore();
  let hasFailed = false;
  const store: ConversationStore = {
    load: (key) => memory.load(key),
    // Of a run that asks again, what its last step stored is stored once more with the question.
    save: async (key, messages) => {
      const fails = !hasFailed && messages.length > 0 && (await memory.load(key))?.length === messages.length;
      hasFailed ||= fails;
      if (fails) throw new Error('The database restarts.');
      await memory.save(key, messages);
    },
  };
  const handler = createAiSdkHandler({ model, tools: { deploy, look_up } }, { store });
  const { id, failures } = await stage.start((message, context) => handler(message, withoutJournal(context)));
  const asked = await stage.operator.sendMessage(id, 'Deploy');
  await approveAll(stage, id, asked.messageId).catch(() => {});
  expect([failures.length, deployed.length, looked.length]).toEqual([1, 1, 1]);
  expectAnswered(await approveAll(stage, id, asked.messageId), 'Both.');
  expect([deployed.length, looked.length]).toEqual([2, 1]);
});
