import {
  createRemoteAgent,
  currentMessage,
  defineSkill,
  type HandlerContext,
  handleSkill,
  type InboundMessage,
  type MessageHandler,
  MoleculeError,
  type PeerReply,
  type PeerStream,
  type RemoteAgent,
  RemoteAgentClient,
  type SkillHandler,
} from '@molecule-ai/core';
import { OperatorClient } from '@molecule-ai/core/operator';
import { collect, describe, handled, recognises, serve } from 'esm-adapter';

const { PEER = '' } = process.env;

let injected: unknown[] = [];
// What reflect-metadata does for dependency injection: the compiled code passes the types of a constructor.
Object.defineProperty(Reflect, 'metadata', {
  value: (_key: string, types: unknown[]) => () => {
    injected = types;
  },
});

function Injectable(): ClassDecorator {
  return () => undefined;
}

/** Dependency injection finds the client by its class: the metadata of the constructor names it. */
@Injectable()
export class Assistant {
  constructor(private readonly client: RemoteAgentClient) {}

  readonly answer: MessageHandler = async (message: InboundMessage, context: HandlerContext) => {
    const reply: PeerReply = await context.client.callPeer(PEER, 'What is it?', { signal: context.signal });
    const stream: PeerStream = context.client.streamPeer(PEER, 'And what else?', { signal: context.signal });
    const restored = describe({ client: this.client, context, message, reply });
    return JSON.stringify({
      text: message.text,
      answer: reply.text,
      streamed: await collect(stream),
      sameBytes: restored === reply.forModel(),
      sameClient: context.client === this.client,
      sameMessage: currentMessage()?.messageId === message.messageId && handled() === currentMessage(),
    });
  };

  start(): RemoteAgent {
    return serve(this.client, this.answer);
  }
}

/** A schema of a library that gives no JSON Schema: it takes texts, and makes dates of them. */
const date = {
  '~standard': {
    version: 1 as const,
    vendor: 'own',
    validate: (value: unknown) => ({ value: new Date(String(value)) }),
    types: undefined as { readonly input: string; readonly output: Date } | undefined,
  },
};

/** A skill whose types both sides have. */
const appoint = defineSkill({
  id: 'appoint',
  input: date,
  output: { type: 'object', properties: { number: { type: 'string' } } },
  jsonSchema: { input: { type: 'string', format: 'date' } },
});

export const appointments: SkillHandler = handleSkill(appoint, ({ data }) => {
  const year: number = data.getFullYear();
  // @ts-expect-error: it is a date
  const text: string = data;
  return { data: { number: `${year}${text}` } };
});

export async function makeAppointment(client: RemoteAgentClient): Promise<void> {
  const reply = await client.callPeer(PEER, { skill: appoint, data: '2026-01-01' });
  if (reply.data === undefined || reply.data === null) return;
  // @ts-expect-error: the data is a text
  await client.callPeer(PEER, { skill: appoint, data: 7 });
  const open = await client.callPeer(PEER, { data: [1, { two: null }], text: 'x' });
  if (typeof open.data === 'string') open.data.trim();
  // @ts-expect-error: no data
  handleSkill(appoint, () => ({ text: 'x' }));
}

/** A subclass of an application has all methods. */
class OwnClient extends RemoteAgentClient {
  get label(): string {
    return `client of ${this.workspaceId}`;
  }
}

async function main(): Promise<void> {
  const client = new OwnClient();
  const agent = new Assistant(client).start();
  await agent.start();
  const second = createRemoteAgent({ client, onMessage: () => undefined });
  const refused = await second.start().catch((error: unknown) => error);
  const report = {
    event: 'started',
    label: client.label,
    code: MoleculeError.isInstance(refused) ? refused.code : String(refused),
    recognised: recognises(refused),
    injected: injected[0] === RemoteAgentClient,
    operator: typeof OperatorClient,
  };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.once('SIGTERM', () => void agent.stop());
  await agent.closed;
  await client.close();
}

void main();
