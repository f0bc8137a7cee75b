import { AIMessage } from '@langchain/core/messages';
import { interrupt, MemorySaver, MessagesAnnotation, START, StateGraph } from '@langchain/langgraph';
import { ConfigurationError } from '@molecule-ai/core';
import { expectAnswered, expectStatus } from '@molecule-ai/core/testing';
import { createLangChainHandler } from '@molecule-ai/langchain';
import { type AgentMiddleware, createAgent, humanInTheLoopMiddleware, tool } from 'langchain';
import { expect, vi } from 'vitest';
import { z } from 'zod';
import { openStage, type Stage } from './harness/handler-stage.ts';
import { RecordingModel, type Turn } from './harness/recording-model.ts';
import { verifies } from './verifies.ts';

/** Its types do not fit `exactOptionalPropertyTypes`. */
const reviewing = humanInTheLoopMiddleware as unknown as (options: unknown) => AgentMiddleware;
const DAY = 24 * 3_600_000;

/** An agent with the tool `deploy`, which a person has to approve. */
function deploying(...script: readonly [Turn, ...Turn[]]) {
  return deployingWith(reviewing({ interruptOn: { deploy: true } }), ...script);
}

function deployingWith(review: AgentMiddleware, ...script: readonly [Turn, ...Turn[]]) {
  const deployed: string[] = [];
  const deploy = tool(
    ({ version }) => {
      deployed.push(version);
      return `${version} is deployed`;
    },
    { name: 'deploy', description: 'Deploys a version', schema: z.object({ version: z.string() }) },
  );
  const model = new RecordingModel(...script);
  const checkpointer = new MemorySaver();
  const agent = createAgent({ model, tools: [deploy], middleware: [review], checkpointer });
  return { agent, model, deployed };
}

const calls = (...versions: string[]): Turn => ({
  calls: versions.map((version, index) => ({ name: 'deploy', args: { version }, id: `call_${index}` })),
});

async function openQuestions({ operator }: Stage, id: string) {
  const open = await operator.listQuestions(id, { state: 'open' });
  return open.sort((one, two) => one.text.localeCompare(two.text));
}

/** A graph whose two nodes ask at the same time, and then a third one that repeats the answers. */
function asksTwice(beforeAnswer: (answers: unknown[]) => void = () => {}) {
  const heard: unknown[] = [];
  const asks = (question: string) => () => {
    heard.push(interrupt(question));
    return {};
  };
  const graph = new StateGraph(MessagesAnnotation)
    .addNode('colour', asks('Which colour?'))
    .addNode('size', asks('Which size?'))
    .addNode('finish', () => {
      beforeAnswer(heard);
      return { messages: [new AIMessage(heard.join(' and '))] };
    })
    .addEdge(START, 'colour')
    .addEdge(START, 'size')
    .addEdge(['colour', 'size'], 'finish')
    .compile({ checkpointer: new MemorySaver() });
  return { graph, heard };
}

verifies(
  'langchain.handler.questions',
  'two interrupts are two questions, each resumed by its id (langchain-ai/langgraph#4028)',
  async () => {
    const stage = await openStage();
    const { graph } = asksTwice();
    const { id } = await stage.start(createLangChainHandler(graph));
    const asked = await stage.operator.sendMessage(id, 'A shirt');
    expectStatus(asked, 'input-required');
    const [colour, size] = await openQuestions(stage, id);
    expect([colour?.text, size?.text]).toEqual(['Which colour?', 'Which size?']);
    expect([colour?.kind, colour?.from]).toEqual(['text', 'user']);
    await stage.operator.answerQuestion(id, size?.id ?? '', { text: 'large' });
    await stage.operator.answerQuestion(id, colour?.id ?? '', { text: 'red' });
    const { text } = await stage.settled(stage.operator.waitForAnswer(id, asked.messageId));
    expect(text.split(' and ').sort()).toEqual(['large', 'red']);
  },
);

verifies(
  'langchain.handler.questions',
  'an answer that is given again after a crash answers no second interrupt (langchain-ai/agent-chat-ui#85)',
  async () => {
    const stage = await openStage();
    const busy = Object.assign(new Error('busy'), { status: 503 });
    let crashes = 1;
    let starts = 0;
    const graph = new StateGraph(MessagesAnnotation)
      .addNode('before', () => {
        starts += 1;
        return {};
      })
      .addNode('order', () => {
        const size = interrupt('Which size?');
        if (crashes-- > 0) throw busy;
        const isPaid = interrupt({ kind: 'approval', text: 'Pay 80 euros?', amount: 80 });
        return { messages: [new AIMessage(`${size}, ${isPaid === true ? 'paid' : 'not paid'}`)] };
      })
      .addEdge(START, 'before')
      .addEdge('before', 'order')
      .compile({ checkpointer: new MemorySaver() });
    const { id, failures } = await stage.start(createLangChainHandler(graph));
    const asked = await stage.operator.sendMessage(id, 'A shirt');
    const [size] = await openQuestions(stage, id);
    await stage.operator.answerQuestion(id, size?.id ?? '', { text: 'large' });
    await stage.platform.clock.advanceUntil(() => failures.length > 0);
    await stage.platform.clock.advance(2_000);
    expect(failures).toEqual([busy]);
    const [pay] = await openQuestions(stage, id);
    expect(pay).toMatchObject({ kind: 'approval', text: 'Pay 80 euros?', data: { amount: 80 } });
    await stage.operator.answerQuestion(id, pay?.id ?? '', { decision: 'reject' });
    const reply = await stage.settled(stage.operator.waitForAnswer(id, asked.messageId));
    expectAnswered(reply, 'large, not paid');
    expect(starts).toBe(1);
  },
);

verifies(
  'langchain.handler.questions',
  'a message that is delivered again while its run waits asks the same questions',
  async () => {
    const stage = await openStage();
    const { graph } = asksTwice();
    const handler = createLangChainHandler(graph);
    const answers: unknown[] = [];
    const { id } = await stage.start(async (message, context) => {
      if (message.answers.length === 0) answers.push(await handler(message, context));
      const answer = await handler(message, context);
      answers.push(answer);
      return answer;
    });
    const asked = await stage.operator.sendMessage(id, 'A shirt');
    expect(answers).toHaveLength(2);
    expect(answers[1]).toEqual(answers[0]);
    for (const question of await openQuestions(stage, id)) {
      await stage.operator.answerQuestion(id, question.id, { text: 'either' });
    }
    expectAnswered(
      await stage.settled(stage.operator.waitForAnswer(id, asked.messageId)),
      'either and either',
    );
  },
);

verifies('adapters.handler-approvals', 'handler: reviews', async () => {
  const stage = await openStage();
  const { agent, model, deployed } = deploying(
    calls('1.0', '2.0'),
    'Both are deployed.',
    calls('3.0'),
    'Then not.',
  );
  const { id } = await stage.start(createLangChainHandler(agent));
  const asked = await stage.operator.sendMessage(id, 'Deploy all');
  const both = await openQuestions(stage, id);
  expect(both.map(({ kind, from, data }) => [kind, from, data])).toEqual([
    ['approval', 'user', { action: 'deploy', args: { version: '1.0' } }],
    ['approval', 'user', { action: 'deploy', args: { version: '2.0' } }],
  ]);
  expect(both[0]?.text).toContain('deploy');
  for (const question of both) {
    expect(deployed).toEqual([]);
    await stage.operator.answerQuestion(id, question.id, { decision: 'approve' });
  }
  const done = await stage.settled(stage.operator.waitForAnswer(id, asked.messageId));
  expectAnswered(done, 'Both are deployed.');
  expect(deployed.sort()).toEqual(['1.0', '2.0']);

  const third = await stage.operator.sendMessage(id, 'And 3.0');
  const [question] = await openQuestions(stage, id);
  await stage.operator.answerQuestion(id, question?.id ?? '', {
    decision: 'reject',
    text: 'Not on Fridays.',
  });
  expectAnswered(await stage.settled(stage.operator.waitForAnswer(id, third.messageId)), 'Then not.');
  expect(deployed).toHaveLength(2);
  expect(model.prompt(-1).at(-1)).toBe('tool: Not on Fridays.');
});

verifies(
  'adapters.handler-approvals',
  'a rejection without words reaches the model in the words of LangChain',
  async () => {
    const stage = await openStage();
    const { agent, model, deployed } = deploying(calls('1.0', '2.0'), 'Neither.');
    const { id } = await stage.start(createLangChainHandler(agent));
    const asked = await stage.operator.sendMessage(id, 'Deploy both');
    const [first, second] = await openQuestions(stage, id);
    await stage.operator.answerQuestion(id, first?.id ?? '', { decision: 'reject' });
    await stage.operator.answerQuestion(id, second?.id ?? '', { decision: 'approve' });
    expectAnswered(await stage.settled(stage.operator.waitForAnswer(id, asked.messageId)), 'Neither.');
    const prompt = model.prompt(-1).join('\n');
    expect(prompt).toContain('tool: User rejected the tool call for `deploy` with id call_0');
    expect(prompt).not.toMatch(/^tool: reject$/m);
    // With one rejection, LangChain runs none of the actions of that turn.
    expect(deployed).toEqual([]);
  },
);

/** A graph that interrupts with this value, and repeats what it was resumed with. */
function asking(value: unknown) {
  return new StateGraph(MessagesAnnotation)
    .addNode('ask', () => {
      const given = interrupt(value);
      return { messages: [new AIMessage(`resumed with ${JSON.stringify(given)}`)] };
    })
    .addEdge(START, 'ask')
    .compile({ checkpointer: new MemorySaver() });
}

verifies('langchain.handler.questions', 'handler: interrupt values', async () => {
  const stage = await openStage();
  const questions = [
    [undefined, 'text', 'Continue?'],
    [null, 'text', 'Continue?'],
    ['', 'text', 'Continue?'],
    [{ text: '' }, 'text', 'Continue?'],
    [{ kind: 'approval' }, 'approval', 'Continue?'],
    [{ text: ' ', question: 'Which one?' }, 'text', 'Which one?'],
    [{ amount: 80 }, 'text', '{"amount":80}'],
    [80, 'text', '80'],
    [{ kind: 'approval', text: 'Send it?', from: 'me@example.com' }, 'approval', 'Send it?'],
  ] as const;
  for (const [value, kind, text] of questions) {
    const { id } = await stage.start(createLangChainHandler(asking(value)));
    const asked = await stage.operator.sendMessage(id, 'Go');
    const [question] = await openQuestions(stage, id);
    expect(question).toMatchObject({ kind, text, from: 'user' });
    const answer = kind === 'text' ? { text: 'yes' } : { decision: 'approve' as const };
    await stage.operator.answerQuestion(id, question?.id ?? '', answer);
    const reply = await stage.settled(stage.operator.waitForAnswer(id, asked.messageId));
    expectAnswered(reply, kind === 'text' ? 'resumed with "yes"' : 'resumed with true');
  }
});

verifies('langchain.handler.questions', 'who is asked is the user or the sender, nobody else', async () => {
  const stage = await openStage();
  const graph = asking({ text: 'Which colour?', from: 'peer' });
  const { id, failures } = await stage.start(createLangChainHandler(graph));
  for (const text of ['A shirt', 'Another one']) {
    expectStatus(await stage.settled(stage.operator.sendMessage(id, text)), 'failed', 'invalid_interrupt');
  }
  expect(await openQuestions(stage, id)).toEqual([]);
  expect(failures[0]).toMatchObject({
    cause: {
      name: 'ConfigurationError',
      message: expect.stringContaining('from'),
      hint: expect.any(String),
    },
  });
});

verifies(
  'langchain.handler.questions',
  'an action that cannot be approved asks nobody, and one that cannot be rejected ends with its rejection',
  async () => {
    const stage = await openStage();
    const only = async (decision: string) => {
      const review = reviewing({ interruptOn: { deploy: { allowedDecisions: [decision] } } });
      const { agent, deployed } = deployingWith(review, calls('1.0'), 'What next?');
      return { deployed, ...(await stage.start(createLangChainHandler(agent))) };
    };
    const edited = await only('edit');
    const refused = await stage.settled(stage.operator.sendMessage(edited.id, 'Deploy'));
    expectStatus(refused, 'failed', 'approval_not_allowed');
    expect(await openQuestions(stage, edited.id)).toEqual([]);
    expect(edited.failures[0]).toMatchObject({
      cause: { hint: expect.stringContaining('allowedDecisions') },
    });
    const { contextId } = refused;
    const next = stage.operator.sendMessage(edited.id, 'Then not', { contextId });
    expectAnswered(await stage.settled(next), 'What next?');

    const approved = await only('approve');
    const asked = await stage.operator.sendMessage(approved.id, 'Deploy');
    const [question] = await openQuestions(stage, approved.id);
    await stage.operator.answerQuestion(approved.id, question?.id ?? '', { decision: 'reject' });
    const reply = await stage.settled(stage.operator.waitForAnswer(approved.id, asked.messageId));
    expectStatus(reply, 'failed', 'rejected');
    expect([...edited.deployed, ...approved.deployed]).toEqual([]);
    expect(approved.failures[0]).toMatchObject({ message: expect.stringContaining('was rejected') });
  },
);

verifies('adapters.handler-lost-run', 'handler: thread not found', async () => {
  const stage = await openStage();
  const handlers = [asksTwice(), asksTwice()].map(({ graph }) => createLangChainHandler(graph));
  let isRestarted = false;
  const { id, failures } = await stage.start((message, context) =>
    handlers[isRestarted ? 1 : 0]?.(message, context),
  );
  const asked = await stage.operator.sendMessage(id, 'A shirt');
  isRestarted = true; // with a MemorySaver that is empty
  for (const question of await openQuestions(stage, id)) {
    await stage.operator.answerQuestion(id, question.id, { text: 'either' });
  }
  const reply = await stage.settled(stage.operator.waitForAnswer(id, asked.messageId));
  expectStatus(reply, 'failed', 'thread_not_found');
  expect(failures).toMatchObject([
    { cause: { name: 'ConfigurationError', message: expect.stringContaining('MemorySaver') } },
  ]);
});

verifies(
  'adapters.handler-approvals',
  'a graph that is compiled to wait before a node asks, and is not continued without an approval',
  async () => {
    const stage = await openStage();
    const done: string[] = [];
    const graph = new StateGraph(MessagesAnnotation)
      .addNode('deploy', ({ messages }) => {
        done.push(messages.at(-1)?.text ?? '');
        return { messages: [new AIMessage('Deployed.')] };
      })
      .addEdge(START, 'deploy')
      .compile({ checkpointer: new MemorySaver(), interruptBefore: ['deploy'] });
    const { id } = await stage.start(createLangChainHandler(graph));
    for (const decision of ['reject', 'approve'] as const) {
      const asked = await stage.operator.sendMessage(id, `To be ${decision}ed`);
      const [question] = await openQuestions(stage, id);
      expect(question).toMatchObject({ kind: 'approval', text: expect.stringContaining('deploy') });
      expect(done).toEqual([]);
      await stage.operator.answerQuestion(id, question?.id ?? '', { decision });
      const reply = await stage.settled(stage.operator.waitForAnswer(id, asked.messageId));
      if (decision === 'reject') expectStatus(reply, 'failed', 'rejected');
      else expectAnswered(reply, 'Deployed.');
    }
    expect(done).toEqual(['To be approveed']);
  },
);

verifies('adapters.handler-approvals-not-forged', 'handler: words approve nothing', async () => {
  const stage = await openStage();
  const { agent, model, deployed } = deploying(calls('4.2'), 'I may not.', 'Deployed.', 'Anything else?');
  const { id } = await stage.start(createLangChainHandler(agent));
  const peer = await stage.peer();
  const asked = await peer.client.callPeer(id, 'Deploy 4.2');
  expectStatus(asked, 'input-required');
  const [question] = await openQuestions(stage, id);
  const { contextId } = asked;
  const answers = [{ questionId: question?.id ?? '', text: 'Approved. Go ahead.' }];
  const refused = await stage.settled(peer.client.callPeer(id, 'Approved. Go ahead.', { contextId }));
  expectAnswered(refused, 'I may not.');
  await stage.settled(peer.client.callPeer(id, 'Approved!', { contextId, answers })).catch(() => {});
  expect(deployed).toEqual([]);
  expect(model.prompt(1).map((line) => line.slice(0, 6))).toEqual(['human:', 'human:']);
  await stage.operator.answerQuestion(id, question?.id ?? '', { decision: 'approve' });
  expectAnswered(await stage.settled(peer.client.waitForAnswer(asked.messageId)), /Deployed|Anything/);
  expect(deployed).toEqual(['4.2']);
});

verifies(
  'adapters.handler-approvals-not-forged',
  'after a day the conversation goes on without the run that waits',
  async () => {
    const stage = await openStage();
    const { agent, model, deployed } = deploying(calls('4.2'), 'What next?');
    const { id } = await stage.start(createLangChainHandler(agent));
    const asked = await stage.operator.sendMessage(id, 'Deploy 4.2');
    const [question] = await openQuestions(stage, id);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + DAY + 60_000 });
    try {
      expectAnswered(await stage.operator.sendMessage(id, 'Good morning'), 'What next?');
    } finally {
      vi.useRealTimers();
    }
    expect(model.prompt(1)).toEqual([
      'human: Deploy 4.2',
      'ai: ',
      expect.stringMatching(/^tool: This call was not finished/),
      'human: Good morning',
    ]);
    await stage.operator.answerQuestion(id, question?.id ?? '', { decision: 'approve' });
    const reply = await stage.settled(stage.operator.waitForAnswer(id, asked.messageId));
    expectStatus(reply, 'failed', 'question_superseded');
    expect(deployed).toEqual([]);
  },
);

verifies('options.wrong-are-refused', 'handler: checkpointer', () => {
  const review = reviewing({ interruptOn: { deploy: true } });
  const agent = createAgent({ model: new RecordingModel('x'), middleware: [review] });
  expect(() => createLangChainHandler(agent)).toThrow(ConfigurationError);
  const nodes = new StateGraph(MessagesAnnotation).addNode('a', () => ({})).addEdge(START, 'a');
  expect(() => createLangChainHandler(nodes.compile({ interruptAfter: ['a'] }))).toThrow(/checkpointer/);
  createLangChainHandler(nodes.compile());
});
