// A client built with @a2a-js/sdk 1.3.0. It speaks A2A 0.3 to agents whose card offers nothing newer.
import {
  type AgentCard,
  type Message,
  type Part,
  Role,
  type StreamResponse,
  type Task,
  TaskState,
} from 'a2a-sdk-1.0';
import {
  type Client,
  ClientFactory,
  ClientFactoryOptions,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
} from 'a2a-sdk-1.0/client';
import { givenHeaders, type Operation, type Outcome, serveClient, type Target } from '../client-program.ts';

const headers = givenHeaders();
const legacyCompat = { enabled: true };
const fetchImpl: typeof fetch = (input, init) =>
  fetch(input, { ...init, headers: { ...(init?.headers as Record<string, string>), ...headers } });
const factory = new ClientFactory(
  ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
    transports: [new JsonRpcTransportFactory({ fetchImpl, legacyCompat })],
    cardResolver: new DefaultAgentCardResolver({ fetchImpl, legacyCompat }),
  }),
);

const textOf = (parts: readonly Part[] = []) =>
  parts.map(({ content }) => (content?.$case === 'text' ? content.value : '')).join('\n');

function toOutcome(result: Message | Task): Outcome {
  if ('messageId' in result)
    return { kind: 'message', text: textOf(result.parts), contextId: result.contextId };
  const { id, contextId, status, artifacts } = result;
  const made = artifacts.map(({ parts }) => textOf(parts)).join('\n');
  const name = TaskState[status?.state ?? TaskState.TASK_STATE_UNSPECIFIED];
  const state = name.replace('TASK_STATE_', '').replace('_', '-').toLowerCase();
  return { kind: 'task', id, contextId, state, text: made || textOf(status?.message?.parts) };
}

/** What the events of a stream add up to. */
async function collect(events: AsyncIterable<StreamResponse>): Promise<Outcome> {
  let task: Task | undefined;
  let text = '';
  for await (const { payload } of events) {
    if (payload?.$case === 'message') return toOutcome(payload.value);
    if (payload?.$case === 'task') task = payload.value;
    if (payload?.$case === 'artifactUpdate') {
      const piece = textOf(payload.value.artifact?.parts);
      text = payload.value.append ? text + piece : piece;
    }
    if (payload?.$case === 'statusUpdate' && task !== undefined) {
      task = { ...task, status: payload.value.status };
    }
  }
  if (task === undefined) throw new Error('a stream without a task');
  const outcome = toOutcome(task);
  return text === '' || outcome.kind !== 'task' ? outcome : { ...outcome, text };
}

function connect({ url, card }: Target): Promise<Client> {
  return card === undefined ? factory.createFromUrl(url) : factory.createFromAgentCard(card as AgentCard);
}

async function run(client: Client, operation: Operation): Promise<Outcome> {
  const tenant = '';
  if ('id' in operation) {
    const task = { tenant, id: operation.id };
    if (operation.op === 'resubscribe') return collect(client.resubscribeTask(task));
    const cancel = { ...task, metadata: undefined };
    return toOutcome(await (operation.op === 'get' ? client.getTask(task) : client.cancelTask(cancel)));
  }
  const { op, text, taskId = '', contextId = '', hold } = operation;
  const message: Message = {
    messageId: crypto.randomUUID(),
    role: Role.ROLE_USER,
    parts: [{ content: { $case: 'text', value: text }, metadata: undefined, filename: '', mediaType: '' }],
    contextId,
    taskId,
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
  };
  const request = { tenant, message, configuration: undefined, metadata: undefined };
  const options = hold === undefined ? {} : { serviceParameters: { 'X-Timeout': String(hold) } };
  if (op === 'send') return toOutcome(await client.sendMessage(request, options));
  return collect(client.sendMessageStream(request, options));
}

await serveClient(connect, run);
