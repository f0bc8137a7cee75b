import {
  ConfigurationError,
  type HandlerAnswer,
  type HandlerContext,
  type InboundMessage,
  type RemoteAgent,
  type RemoteAgentClientOptions,
  type RemoteAgentOptions,
} from '@molecule-ai/core';
import {
  AGENT_OPTION_NAMES,
  CLIENT_OPTION_NAMES,
  knownOptions,
  optionsProblem,
} from '@molecule-ai/core/adapter-kit';
import type { InboundHandlerOptions } from '@molecule-ai/core/inbound';
import { ConfigurableModuleBuilder } from '@nestjs/common';

/** Options of one agent: those of `RemoteAgentClient` and of `createRemoteAgent`, and these. */
export interface MoleculeModuleOptions
  extends RemoteAgentClientOptions,
    Omit<RemoteAgentOptions, 'client' | 'onMessage' | 'random'> {
  /**
   * Whether the global guards, pipes, interceptors and exception filters of the application run for messages; those of
   * classes and methods always do. @default true
   */
  globalEnhancers?: boolean | undefined;
  /** `true`: the application does not start the agent; `agent.start()` does, for instance in a test. @default false */
  manualStart?: boolean | undefined;
  /** `true` for an application that only calls others: it needs no handler, and messages end as failed, `no_handler`. @default false */
  withoutHandlers?: boolean | undefined;
  /**
   * Where the HTTP server of the application takes messages for this agent; they come before anything of the application sees them. Needs a
   * `reportedUrl`. `false`: you serve the URL yourself. @default at the path of `reportedUrl`, where the agent has one
   */
  push?: PushOptions | false | undefined;
  /** Handles the messages that no decorated method does: a `MoleculeStrategy`, which is also that of the microservice. */
  strategy?: MessageStrategy | undefined;
}

/** How an agent is served by the HTTP server of the application. */
export interface PushOptions extends InboundHandlerOptions {
  /** Such as `/a2a`; a global prefix does not apply. Two agents cannot have the same. @default the path of `reportedUrl` */
  path?: string | undefined;
}

const PUSH_OPTIONS = knownOptions<PushOptions>({
  path: true,
  maxConcurrentRequests: true,
  holdSeconds: true,
});

/** `operatorKey` comes with the connection of a test platform, and has no effect. */
const MODULE_OPTIONS = knownOptions<MoleculeModuleOptions & { operatorKey: unknown }>({
  ...CLIENT_OPTION_NAMES,
  operatorKey: true,
  ...AGENT_OPTION_NAMES,
  globalEnhancers: true,
  manualStart: true,
  withoutHandlers: true,
  push: true,
  strategy: true,
});

/** The options of the module that a client takes. */
export function clientOptionsOf(options: MoleculeModuleOptions): RemoteAgentClientOptions {
  return pick(options, CLIENT_OPTION_NAMES);
}

/** The options of the module that `createRemoteAgent` takes. */
export function agentOptionsOf(
  options: MoleculeModuleOptions,
): Omit<RemoteAgentOptions, 'client' | 'onMessage'> {
  return pick(options, AGENT_OPTION_NAMES);
}

function pick<Options extends object>(options: Options, names: object): Options {
  return Object.fromEntries(
    Object.entries(options).filter(([name]) => Object.hasOwn(names, name)),
  ) as Options;
}

/** What the module needs of a `MoleculeStrategy`. */
export interface MessageStrategy {
  /** Called when the agent is made. @throws ConfigurationError while another agent runs. */
  attach(agent: RemoteAgent): void;
  /** The methods of JSON-RPC for which it has a handler, and `*`. */
  readonly methods: readonly string[];
  /** Resolves when the microservice listens. The agent starts then. */
  readonly listening: Promise<void>;
  /** `undefined` when it has no handler for the message. */
  handle(message: InboundMessage, context: HandlerContext): Promise<HandlerAnswer> | undefined;
}

/** Creates the options, for `useClass` and `useExisting`. */
export interface MoleculeOptionsFactory {
  createMoleculeOptions(): MoleculeModuleOptions | Promise<MoleculeModuleOptions>;
}

/** What `forRoot` and `forRootAsync` take besides the options. */
export interface MoleculeModuleExtras {
  /** The name of the agent, where an application has several; decorators choose it. @default the agent without a name */
  name?: string | undefined;
  /** Whether other modules can inject the agent and its client without importing the module. @default false */
  isGlobal?: boolean | undefined;
}

/** The static methods `forRoot` and `forRootAsync`. */
export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<MoleculeModuleOptions>()
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createMoleculeOptions')
    .setExtras<MoleculeModuleExtras>({ name: undefined, isGlobal: false }, (definition) => definition)
    .build();

function isStrategy(value: unknown): boolean {
  return ['attach', 'handle'].every((name) => typeof Reflect.get(Object(value), name) === 'function');
}

const KINDS = { globalEnhancers: 'flag', manualStart: 'flag', withoutHandlers: 'flag' } as const;

/** @throws ConfigurationError for what `forRoot` or the factory of `forRootAsync` gave. */
export function checkOptions(options: unknown): MoleculeModuleOptions {
  const problem = optionsProblem(options, KINDS);
  if (problem !== null) throw new ConfigurationError(problem);
  const { push, strategy } = options as MoleculeModuleOptions;
  if (push !== undefined && push !== false && (typeof push !== 'object' || push === null)) {
    throw new ConfigurationError("`push` must be an object such as { path: '/a2a' }, or false.");
  }
  if (strategy !== undefined && !isStrategy(strategy)) {
    throw new ConfigurationError('`strategy` must be a MoleculeStrategy.', {
      hint: 'Pass the same object as NestFactory.createMicroservice() or app.connectMicroservice() gets.',
    });
  }
  for (const name of ['name', 'isGlobal']) {
    if (Reflect.get(Object(options), name) === undefined) continue;
    throw new ConfigurationError(`\`${name}\` cannot come from a factory.`, {
      hint: `Nest needs it before: pass it beside the factory, forRootAsync({ ${name}: …, useFactory: … }).`,
    });
  }
  for (const name of ['onMessage', 'client']) {
    if (Reflect.get(Object(options), name) === undefined) continue;
    throw new ConfigurationError(`The module takes no \`${name}\`.`, {
      hint:
        name === 'client'
          ? 'Pass the options of the client themselves, such as platformUrl and workspaceId.'
          : 'Decorate a method of a provider or controller with @OnMessage().',
    });
  }
  const unknown =
    optionsProblem(options, {}, 'It', MODULE_OPTIONS) ??
    (push ? optionsProblem(push, {}, '`push`', PUSH_OPTIONS) : null);
  if (unknown !== null) throw new ConfigurationError(unknown);
  return options as MoleculeModuleOptions;
}

/** How health names the agent without a name. */
export const UNNAMED = 'default';

/** How errors name an agent: `the agent "support"`. */
export function agentLabel(name: string): string {
  return name === '' ? 'the agent without a name' : `the agent "${name}"`;
}

/** Runs what creates a part of an agent; an error in its options then names the agent. */
export function namingAgent<T>(name: string, create: () => T): T {
  try {
    return create();
  } catch (error) {
    if (!ConfigurationError.isInstance(error)) throw error;
    const label = name === '' ? 'MoleculeModule' : `MoleculeModule, ${agentLabel(name)}`;
    throw new ConfigurationError(`${label}: ${error.message}`, { hint: error.hint, cause: error });
  }
}
