import {
  ConfigurationError,
  type HandlerAnswer,
  type HandlerContext,
  type InboundMessage,
  type RemoteAgent,
  type RemoteAgentClientOptions,
  type RemoteAgentOptions,
} from '@molecule-ai/core';
import { InboundHandlerShape, shape } from '@molecule-ai/core/adapter-kit';
import { ConfigurableModuleBuilder } from '@nestjs/common';

const NIL_UUID = '00000000-0000-0000-0000-000000000000';
const STRATEGY_METHODS = ['attach', 'handle'];
const NOT_OF_THE_AGENT = [
  ['client', 'Pass the options of the client itself as `client`, such as platformUrl and workspaceId.'],
  ['onMessage', 'Decorate a method of a provider or controller with @OnMessage().'],
  ['onAnswer', 'Decorate a method of a provider or controller with @OnAnswer().'],
] as const;

class PushShape extends InboundHandlerShape {
  /** Such as `/a2a`; a global prefix does not apply. Two agents cannot have the same. @default the path of `reportedUrl` */
  path = shape.given<string>();
}

/** How an agent is served by the HTTP server of the application. */
export interface PushOptions extends shape.OptionsOf<PushShape> {}

const PUSH = shape.optionsSchema(new PushShape());

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

/** The options of an agent besides its client and its handler. */
export type ModuleAgentOptions = Omit<RemoteAgentOptions, 'client' | 'onMessage' | 'onAnswer'>;

/** What the application says of one agent. */
class ModuleShape {
  /** The options of the client of the agent, as for `RemoteAgentClient`. @default the environment decides */
  client = passedOn<RemoteAgentClientOptions>();
  /** The options of the agent, as for `createRemoteAgent`. The client and the handler come from the module. */
  agent = passedOn<ModuleAgentOptions>();
  /**
   * `false`: the agent joins no workspace, and its client sends nothing, so that no platform and token are needed. @default `true`; `false` where
   * `MOLECULE_DISABLED=1`, and under `NODE_ENV=test` unless the client has the `connection.dispatcher` of a test platform
   */
  enabled = shape.flag(undefined);
  /**
   * Whether the global guards, pipes, interceptors and exception filters of the application run for messages; those of
   * classes and methods always do. @default true
   */
  globalEnhancers = shape.flag(true);
  /** `true`: the application does not start the agent; `agent.start()` does, for instance in a test. @default false */
  manualStart = shape.flag(false);
  /** `true` for an application that only calls others: it needs no handler, and messages end as failed, `no_handler`. @default false */
  withoutHandlers = shape.flag(false);
  /**
   * Where the HTTP server of the application takes messages for this agent; they come before anything of the application sees them. Needs a
   * `reportedUrl`. `false`: you serve the URL yourself. @default at the path of `reportedUrl`, where the agent has one
   */
  push = shape.option<PushOptions | false | undefined>((value, refuse) => {
    if (value === undefined || value === false) return value;
    if (typeof value !== 'object' || value === null) {
      return refuse("must be an object such as { path: '/a2a' }, or false");
    }
    shape.parseOptions('`push`', PUSH, value);
    return value;
  });
  /** Handles the messages that no decorated method does: a `MoleculeStrategy`, which is also that of the microservice. */
  strategy = shape.option<MessageStrategy | undefined, MessageStrategy>((value, refuse) => {
    const isStrategy = STRATEGY_METHODS.every(
      (name) => typeof Reflect.get(Object(value), name) === 'function',
    );
    if (value === undefined || isStrategy) {
      return value as MessageStrategy | undefined;
    }
    return refuse(
      'must be a MoleculeStrategy',
      'Pass the same object as NestFactory.createMicroservice() or app.connectMicroservice() gets.',
    );
  });
}

/** Options that `RemoteAgentClient` or `createRemoteAgent` checks. */
function passedOn<T extends object>(): shape.Option<T | undefined, T> {
  return shape.option<T | undefined, T>((value, refuse) => {
    const isGroup = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (value === undefined || isGroup) return value as T | undefined;
    return refuse('must be an object');
  });
}

/** Options of one agent. */
export interface MoleculeModuleOptions extends shape.OptionsOf<ModuleShape> {}

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

const MODULE_OPTIONS = shape.optionsSchema(new ModuleShape());

/** @throws ConfigurationError for what `forRoot` or the factory of `forRootAsync` gave. */
export function checkOptions(options: unknown): MoleculeModuleOptions {
  const { agent } = Object(options) as { readonly agent?: unknown };
  for (const name of ['name', 'isGlobal']) {
    if (Reflect.get(Object(options), name) === undefined) continue;
    throw new ConfigurationError(`\`${name}\` cannot come from a factory.`, {
      hint: `Nest needs it before: pass it beside the factory, forRootAsync({ ${name}: …, useFactory: … }).`,
    });
  }
  for (const [name, hint] of NOT_OF_THE_AGENT) {
    if (Reflect.get(Object(agent), name) === undefined) continue;
    throw new ConfigurationError(`The module takes no \`agent.${name}\`.`, { hint });
  }
  shape.parseOptions('It', MODULE_OPTIONS, options);
  return options as MoleculeModuleOptions;
}

/** Why an agent joins no workspace; `undefined` for one that does. */
export function disabledBy(
  { enabled, client }: MoleculeModuleOptions,
  // biome-ignore lint/style/noProcessEnv: the only place of this package that reads the environment
  { MOLECULE_DISABLED: disabled = '', NODE_ENV: mode }: Partial<Record<string, string>> = process.env,
): string | undefined {
  if (enabled !== undefined) return enabled ? undefined : 'enabled: false';
  if (client?.connection?.dispatcher !== undefined) return undefined;
  if (/^(?:1|true|yes|on)$/i.test(disabled.trim())) return 'MOLECULE_DISABLED';
  return mode === 'test' ? 'NODE_ENV=test' : undefined;
}

/** The options of a client that sends nothing. */
export function disabledClient(
  client: RemoteAgentClientOptions | undefined,
  reason: string,
): RemoteAgentClientOptions {
  const dispatch = (): never => {
    throw new ConfigurationError(`Nothing is sent to the platform: ${reason}.`, {
      hint: 'Set enabled: true in MoleculeModule.forRoot(), or pass MoleculeTesting or the connection of createTestPlatform().',
    });
  };
  return {
    platformUrl: 'http://disabled.invalid',
    workspaceId: NIL_UUID,
    ...client,
    connection: { ...client?.connection, dispatcher: { dispatch } },
  };
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
