// The same agent built with @a2a-js/sdk and Express, as a process. It checks no credential and keeps nothing. A message that asks
// for deltas is answered with a task, whose artifact gets one update for each of them.
import { createServer } from 'node:http';
import { type AgentCard, Role, TaskState } from '@a2a-js/sdk';
import {
  AgentEvent,
  type AgentExecutor,
  DefaultRequestHandler,
  type ExecutionEventBus,
  InMemoryTaskStore,
  type RequestContext,
} from '@a2a-js/sdk/server';
import { jsonRpcHandler, UserBuilder } from '@a2a-js/sdk/server/express';
import express from 'express';
import { announce } from './announce.ts';
import { deltasOf } from './deltas.ts';

const executor: AgentExecutor = {
  execute: async (context, bus) => {
    const [part] = context.userMessage.parts;
    const text = part?.content?.$case === 'text' ? part.content.value : '';
    if (text.startsWith('{')) await stream(text, context, bus);
    else {
      bus.publish(
        AgentEvent.message({
          messageId: crypto.randomUUID(),
          contextId: context.contextId,
          taskId: '',
          role: Role.ROLE_AGENT,
          parts: [partOf('the answer of the peer')],
          metadata: undefined,
          extensions: [],
          referenceTaskIds: [],
        }),
      );
    }
    bus.finished();
  },
  cancelTask: async () => {},
};

async function stream(text: string, { taskId, contextId }: RequestContext, bus: ExecutionEventBus) {
  const status = (state: TaskState) => ({
    state,
    message: undefined,
    timestamp: new Date().toISOString(),
  });
  const about = { contextId, metadata: undefined };
  const working = status(TaskState.TASK_STATE_WORKING);
  bus.publish(AgentEvent.task({ id: taskId, ...about, status: working, artifacts: [], history: [] }));
  const artifactId = crypto.randomUUID();
  const given = { artifactId, name: '', description: '', metadata: undefined, extensions: [] };
  let append = false;
  for await (const delta of deltasOf(text)) {
    const artifact = { ...given, parts: [partOf(delta)] };
    bus.publish(AgentEvent.artifactUpdate({ taskId, ...about, artifact, append, lastChunk: false }));
    append = true;
  }
  const completed = status(TaskState.TASK_STATE_COMPLETED);
  bus.publish(AgentEvent.statusUpdate({ taskId, ...about, status: completed }));
}

function partOf(value: string) {
  return { content: { $case: 'text' as const, value }, metadata: undefined, filename: '', mediaType: '' };
}

const card: AgentCard = {
  name: 'peer',
  description: 'answers',
  supportedInterfaces: [
    { url: 'http://127.0.0.1', protocolBinding: 'JSONRPC', tenant: '', protocolVersion: '1.0' },
  ],
  provider: undefined,
  version: '1',
  capabilities: { streaming: true, pushNotifications: false, extensions: [], extendedAgentCard: false },
  securitySchemes: {},
  securityRequirements: [],
  defaultInputModes: ['text/plain'],
  defaultOutputModes: ['text/plain'],
  skills: [],
  signatures: [],
};
const requestHandler = new DefaultRequestHandler(card, new InMemoryTaskStore(), executor);
const app = express();
app.use(jsonRpcHandler({ requestHandler, userBuilder: UserBuilder.noAuthentication }));
announce(createServer(app));
