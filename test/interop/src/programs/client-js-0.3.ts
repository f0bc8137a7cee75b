// A client built with @a2a-js/sdk 0.3.14, as it comes.
import type {
  AgentCard,
  Message,
  Part,
  Task,
  TaskArtifactUpdateEvent,
  TaskStatusUpdateEvent,
} from 'a2a-sdk-0.3';
import {
  type Client,
  ClientFactory,
  ClientFactoryOptions,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
} from 'a2a-sdk-0.3/client';
import { givenHeaders, type Operation, type Outcome, serveClient, type Target } from '../client-program.ts';

const headers = givenHeaders();
const fetchImpl: typeof fetch = (input, init) =>
  fetch(input, { ...init, headers: { ...(init?.headers as Record<string, string>), ...headers } });
const factory = new ClientFactory(
  ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
    transports: [new JsonRpcTransportFactory({ fetchImpl })],
    cardResolver: new DefaultAgentCardResolver({ fetchImpl }),
  }),
);

const textOf = (parts: readonly Part[] = []) =>
  parts.map((part) => (part.kind === 'text' ? part.text : '')).join('\n');

function toOutcome(result: Message | Task): Outcome {
  if (result.kind === 'message') {
    return { kind: 'message', text: textOf(result.parts), contextId: result.contextId ?? '' };
  }
  const { id, contextId, status, artifacts = [] } = result;
  const made = artifacts.map(({ parts }) => textOf(parts)).join('\n');
  return { kind: 'task', id, contextId, state: status.state, text: made || textOf(status.message?.parts) };
}

/** What the events of a stream add up to. */
async function collect(
  events: AsyncIterable<Message | Task | TaskStatusUpdateEvent | TaskArtifactUpdateEvent>,
): Promise<Outcome> {
  let task: Task | undefined;
  let text = '';
  for await (const event of events) {
    if (event.kind === 'message') return toOutcome(event);
    if (event.kind === 'task') task = event;
    if (event.kind === 'artifact-update') {
      const piece = textOf(event.artifact.parts);
      text = event.append === true ? text + piece : piece;
    }
    if (event.kind === 'status-update' && task !== undefined) task = { ...task, status: event.status };
  }
  if (task === undefined) throw new Error('a stream without a task');
  const outcome = toOutcome(task);
  return text === '' || outcome.kind !== 'task' ? outcome : { ...outcome, text };
}

function connect({ url, card }: Target): Promise<Client> {
  return card === undefined
    ? factory.createFromUrl(`${url}/`)
    : factory.createFromAgentCard(card as AgentCard);
}

async function run(client: Client, operation: Operation): Promise<Outcome> {
  if ('id' in operation) {
    const { op, id } = operation;
    if (op === 'resubscribe') return collect(client.resubscribeTask({ id }));
    return toOutcome(await (op === 'get' ? client.getTask({ id }) : client.cancelTask({ id })));
  }
  const { op, text, taskId, contextId, hold } = operation;
  const message: Message = {
    kind: 'message',
    messageId: crypto.randomUUID(),
    role: 'user',
    parts: [{ kind: 'text', text }],
    ...(taskId === undefined ? {} : { taskId }),
    ...(contextId === undefined ? {} : { contextId }),
  };
  const options = hold === undefined ? {} : { serviceParameters: { 'X-Timeout': String(hold) } };
  if (op === 'send') return toOutcome(await client.sendMessage({ message }, options));
  return collect(client.sendMessageStream({ message }, options));
}

await serveClient(connect, run);
