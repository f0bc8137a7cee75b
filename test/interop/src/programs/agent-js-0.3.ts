// An agent built with @a2a-js/sdk 0.3.14.
import type { AgentCard, Message, Task, TaskState } from 'a2a-sdk-0.3';
import {
  type AgentExecutor,
  DefaultRequestHandler,
  type ExecutionEventBus,
  InMemoryTaskStore,
  type RequestContext,
} from 'a2a-sdk-0.3/server';
import { jsonRpcHandler, UserBuilder } from 'a2a-sdk-0.3/server/express';
import { listen } from '../agent-program.ts';
import { writeLine } from '../line.ts';

class Executor implements AgentExecutor {
  async execute(context: RequestContext, bus: ExecutionEventBus): Promise<void> {
    const { taskId, contextId, userMessage, task } = context;
    const said = userMessage.parts.map((part) => (part.kind === 'text' ? part.text : '')).join();
    writeLine({ ran: said });
    const message = (text: string): Message => ({
      kind: 'message',
      messageId: `${taskId}-m`,
      contextId,
      role: 'agent',
      parts: [{ kind: 'text', text }],
    });
    const end = (state: TaskState, artifact: string | undefined, status?: string): Task => ({
      kind: 'task',
      id: taskId,
      contextId,
      status: {
        state,
        timestamp: new Date().toISOString(),
        ...(status === undefined ? {} : { message: { ...message(status), taskId } }),
      },
      history: [userMessage],
      ...(artifact === undefined
        ? {}
        : { artifacts: [{ artifactId: 'a-1', parts: [{ kind: 'text', text: artifact }] }] }),
    });
    if (task !== undefined) bus.publish(end('completed', `Painted: ${said}`));
    else if (said === 'task') bus.publish(end('completed', 'Done: task'));
    else if (said === 'fail') bus.publish(end('failed', undefined, 'Disk full'));
    else if (said === 'ask') bus.publish(end('input-required', undefined, 'Which colour?'));
    else if (said === 'wait') {
      bus.publish(end('working', undefined));
      await new Promise(() => {});
    } else bus.publish(message(`You said: ${said}`));
    bus.finished();
  }

  async cancelTask(taskId: string): Promise<void> {
    writeLine({ canceled: taskId });
  }
}

await listen((url) => {
  const card: AgentCard = {
    name: 'js-0.3',
    description: 'An agent of the interop tests',
    url,
    protocolVersion: '0.3.0',
    version: '1.0.0',
    capabilities: { streaming: false },
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [],
  };
  const requestHandler = new DefaultRequestHandler(card, new InMemoryTaskStore(), new Executor());
  return { card, handler: jsonRpcHandler({ requestHandler, userBuilder: UserBuilder.noAuthentication }) };
});
