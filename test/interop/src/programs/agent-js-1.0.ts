// An agent built with @a2a-js/sdk 1.3.0. `--compat` also accepts requests of A2A 0.3.
import { type AgentCard, type Message, Role, type Task, TaskState } from 'a2a-sdk-1.0';
import {
  AgentEvent,
  type AgentExecutor,
  DefaultRequestHandler,
  type ExecutionEventBus,
  InMemoryTaskStore,
  type RequestContext,
} from 'a2a-sdk-1.0/server';
import { jsonRpcHandler, UserBuilder } from 'a2a-sdk-1.0/server/express';
import { listen } from '../agent-program.ts';
import { writeLine } from '../line.ts';

const legacyCompat = { enabled: process.argv.includes('--compat') };
const versions = legacyCompat.enabled ? ['1.0', '0.3'] : ['1.0'];

const text = (value: string) => ({
  content: { $case: 'text' as const, value },
  metadata: undefined,
  filename: '',
  mediaType: '',
});

class Executor implements AgentExecutor {
  async execute(context: RequestContext, bus: ExecutionEventBus): Promise<void> {
    const { taskId, contextId, userMessage, task } = context;
    const said = userMessage.parts
      .map(({ content }) => (content?.$case === 'text' ? content.value : ''))
      .join();
    writeLine({ ran: said });
    const message = (value: string): Message => ({
      messageId: `${taskId}-m`,
      contextId,
      taskId: '',
      role: Role.ROLE_AGENT,
      parts: [text(value)],
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
    });
    const end = (state: TaskState, artifact: string | undefined, status?: string): Task => ({
      id: taskId,
      contextId,
      status: {
        state,
        message: status === undefined ? undefined : { ...message(status), taskId },
        timestamp: new Date().toISOString(),
      },
      artifacts:
        artifact === undefined
          ? []
          : [
              {
                artifactId: 'a-1',
                name: '',
                description: '',
                parts: [text(artifact)],
                metadata: undefined,
                extensions: [],
              },
            ],
      history: [userMessage],
      metadata: undefined,
    });
    if (task !== undefined)
      bus.publish(AgentEvent.task(end(TaskState.TASK_STATE_COMPLETED, `Painted: ${said}`)));
    else if (said === 'task') bus.publish(AgentEvent.task(end(TaskState.TASK_STATE_COMPLETED, 'Done: task')));
    else if (said === 'fail')
      bus.publish(AgentEvent.task(end(TaskState.TASK_STATE_FAILED, undefined, 'Disk full')));
    else if (said === 'ask')
      bus.publish(AgentEvent.task(end(TaskState.TASK_STATE_INPUT_REQUIRED, undefined, 'Which colour?')));
    else if (said === 'wait') {
      bus.publish(AgentEvent.task(end(TaskState.TASK_STATE_WORKING, undefined)));
      await new Promise(() => {});
    } else bus.publish(AgentEvent.message(message(`You said: ${said}`)));
    bus.finished();
  }

  async cancelTask(taskId: string): Promise<void> {
    writeLine({ canceled: taskId });
  }
}

await listen((url) => {
  const card: AgentCard = {
    name: 'js-1.0',
    description: 'An agent of the interop tests',
    supportedInterfaces: versions.map((protocolVersion) => ({
      url,
      protocolBinding: 'JSONRPC',
      tenant: '',
      protocolVersion,
    })),
    provider: undefined,
    version: '1.0.0',
    capabilities: { streaming: false, pushNotifications: false, extensions: [], extendedAgentCard: false },
    securitySchemes: {},
    securityRequirements: [],
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [],
    signatures: [],
  };
  const requestHandler = new DefaultRequestHandler(card, new InMemoryTaskStore(), new Executor());
  return {
    card,
    handler: jsonRpcHandler({ requestHandler, userBuilder: UserBuilder.noAuthentication, legacyCompat }),
  };
});
