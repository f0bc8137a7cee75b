import 'reflect-metadata';
import type { HandlerContext, InboundMessage, PeerClient, RemoteAgent } from '@molecule-ai/core';
import { peerTools } from '@molecule-ai/core/adapter-kit';
import {
  getAgentToken,
  Message,
  MessageContext,
  MoleculeModule,
  MoleculeService,
  OnAnswer,
  OnMessage,
  PeerTextInterceptor,
  UntrustedText,
} from '@molecule-ai/nestjs';
import { Inject, Injectable, Module, type ModuleMetadata, type Type, UseInterceptors } from '@nestjs/common';
import { ExternalContextCreator, NestFactory } from '@nestjs/core';
import type { AdapterDriver, AgentSetup, ProviderRun } from './adapter-driver.ts';
import {
  answerByLoop,
  createThreads,
  LOOP_WITHOUT,
  type LoopParts,
  restoreThreads,
  runByLoop,
  runPeerTool,
} from './hand-loop.ts';

const SETUP = Symbol('setup');
const PEERS = Symbol('peers');
const READ = Symbol('read');
const QUIET = { logger: false, abortOnError: false } as const;

/** A method whose return value a model reads. */
@Injectable()
class ForModel {
  @UseInterceptors(PeerTextInterceptor)
  read(work: () => unknown): unknown {
    return work();
  }
}

type Read = (work: () => unknown) => Promise<unknown>;

/** {@link ForModel} as Nest calls it, with its interceptors. */
const READ_PROVIDERS = [
  ForModel,
  {
    provide: READ,
    useFactory: (creator: ExternalContextCreator, forModel: ForModel) =>
      creator.create(forModel, forModel.read as (...args: unknown[]) => unknown, 'read'),
    inject: [ExternalContextCreator, ForModel],
  },
];

/** Answers messages by a loop by hand. */
@Injectable()
class Assistant {
  @Inject(SETUP) readonly setup!: AgentSetup;
  @Inject(PEERS) readonly peers!: MoleculeService;
  @Inject(READ) readonly read!: Read;

  @OnMessage()
  answer(
    @UntrustedText({ sender: true }) text: string,
    @Message() { id, conversationId }: InboundMessage,
    @MessageContext() context: HandlerContext,
  ): Promise<string> {
    return answerByLoop(this.partsOf(this.setup), { id, conversationId, text }, context);
  }

  /** What comes later is read in its conversation. */
  @OnAnswer()
  later(
    @UntrustedText({ sender: true }) text: string,
    @Message() message: InboundMessage,
    @MessageContext() context: HandlerContext,
  ): Promise<string> {
    return this.answer(text, message, context);
  }

  partsOf(setup: AgentSetup): LoopParts {
    const { only, timeoutMs } = setup;
    return {
      setup,
      tools: this.peers.tools({ ...(only === undefined ? {} : { only }), timeoutMs }),
      runOwn: async (tool) => `${await this.read(() => tool.run(''))}`,
    };
  }

  /** Asks a peer by the service, for a model. Resolves with what methods may return of it: alone, and within something else. */
  async ask({ peerId, text, isStreamed, passedOn, timeoutMs, signal }: ProviderRun): Promise<unknown[]> {
    const { peers } = this;
    const options = {
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(signal === undefined ? {} : { signal }),
    };
    if (!isStreamed) {
      const reply = await peers.call(peerId, text, options);
      const returned = passedOn === 'both' ? [reply, { reply }] : [reply];
      return Promise.all(returned.map((each) => this.read(() => each)));
    }
    const stream = peers.stream(peerId, text, options);
    const alone = await this.read(() => stream);
    return passedOn === 'both'
      ? [alone, await this.read(async () => ({ reply: await stream.reply() }))]
      : [alone];
  }
}

/** The applications that run, by the client of their tools. */
const assistants = new WeakMap<PeerClient, Assistant>();

/** Applications of Nest whose provider handles messages, with the service of the module for tools. */
export const nestjsDriver: AdapterDriver = {
  name: 'nestjs',
  without: {
    ...LOOP_WITHOUT,
    'provider-queued':
      'a reply has its status; the interceptor gives the model its text, so the method reads the status',
    'provider-queued-error':
      'call and stream end with a reply, whatever its status; what rejects is observe, for endpoints',
  },
  createMemory: createThreads,
  restoreMemory: restoreThreads,
  startAgent: async (setup, { store, ...client }) => {
    const app = await NestFactory.createApplicationContext(
      moduleOf({
        imports: [MoleculeModule.forRoot({ client, agent: { store } })],
        providers: [
          ...READ_PROVIDERS,
          { provide: SETUP, useFactory: () => setup },
          {
            provide: PEERS,
            useFactory: (agent: RemoteAgent) => new MoleculeService(agent, setup.client),
            inject: [getAgentToken()],
          },
          Assistant,
        ],
      }),
      QUIET,
    );
    assistants.set(setup.client, app.get(Assistant));
    return { agent: app.get<RemoteAgent>(getAgentToken()), close: () => app.close() };
  },
  runAgent: async (setup, text, run) => runByLoop(assistantOf(setup.client).partsOf(setup), text, run),
  runStored: async (setup, text, { threadId }) => {
    const restored = { ...setup, memory: restoreThreads(setup.memory) };
    await runByLoop(assistantOf(setup.client).partsOf(restored), text, { threadId });
  },
  // Of any client, also of one without an application.
  runTool: async ({ client, name, args, timeoutMs, ...call }) => {
    const [tool] = peerTools(client, { only: [name], timeoutMs });
    return runPeerTool(tool, args, call);
  },
  askProvider: async (run) => {
    const given = await assistantOf(run.client).ask(run);
    run.signal?.throwIfAborted();
    for (const each of given) run.model.take({ messages: [{ role: 'user', text: textIn(each) }], tools: [] });
  },
  promptParts: async ({ model, text }) => {
    const app = await NestFactory.createApplicationContext(moduleOf({ providers: READ_PROVIDERS }), QUIET);
    const read = app.get<Read>(READ);
    for (const value of [text, { note: text }, [text], { notes: [{ text }] }]) {
      const result = await read(() => value);
      model.take({ messages: [{ role: 'tool', text: textIn(result) }], tools: [] });
    }
    await app.close();
  },
};

function assistantOf(client: PeerClient): Assistant {
  const assistant = assistants.get(client);
  if (assistant === undefined) throw new Error('No application runs with this client.');
  return assistant;
}

function moduleOf(metadata: ModuleMetadata): Type {
  class App {}
  Module(metadata)(App);
  return App;
}

/** The only text in lists and objects. */
function textIn(value: unknown): string {
  return typeof value === 'string' ? value : textIn(Object.values(value as object)[0]);
}
