import {
  ConfigurationError,
  createRemoteAgent,
  type RemoteAgent,
  RemoteAgentClient,
} from '@molecule-ai/core';
import {
  type ConfigurableModuleAsyncOptions,
  type DynamicModule,
  Module,
  type Provider,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { AgentHost, MoleculeStartModule } from './agent-host.ts';
import { MoleculeHealthIndicator } from './health-indicator.ts';
import type { HostedAgent } from './hosted-agent.ts';
import { MODULE_MARK, MODULE_NUMBER, tokenOf } from './injection.ts';
import { MessageDispatcher } from './message-dispatcher.ts';
import {
  ConfigurableModuleClass,
  checkOptions,
  disabledBy,
  disabledClient,
  MODULE_OPTIONS_TOKEN,
  type MoleculeModuleExtras,
  type MoleculeModuleOptions,
  namingAgent,
  UNNAMED,
} from './molecule-options.ts';
import { MoleculeService } from './molecule-service.ts';
import { nestLogger } from './nest-logger.ts';

/** The options of `MoleculeModule.forRootAsync`: a factory or a class that creates the options, and what `forRoot` takes besides. */
export type MoleculeModuleAsyncOptions = ConfigurableModuleAsyncOptions<
  MoleculeModuleOptions,
  'createMoleculeOptions'
> &
  MoleculeModuleExtras;

/**
 * The application as an agent of an organisation. The agent starts when the application has, and stops taking messages
 * before its providers are destroyed. Several agents need a name each.
 *
 * @example
 * @Module({ imports: [MoleculeModule.forRoot({ client: { agentCard: { name: 'orders' } } })], providers: [OrderAgent] })
 * export class AppModule {}
 */
export class MoleculeModule extends ConfigurableModuleClass {
  /** Each missing option is read from its environment variable when the application starts. */
  static override forRoot(options: MoleculeModuleOptions & MoleculeModuleExtras = {}): DynamicModule {
    return agentModule(ConfigurableModuleClass.forRoot(options), options);
  }

  static override forRootAsync(options: MoleculeModuleAsyncOptions): DynamicModule {
    return agentModule(ConfigurableModuleClass.forRootAsync(options), options);
  }
}

Module({ imports: [MoleculeStartModule], providers: [{ provide: MODULE_MARK, useValue: true }] })(
  MoleculeModule,
);

let calls = 0;

function agentModule(definition: DynamicModule, extras: MoleculeModuleExtras): DynamicModule {
  const name = checkName(extras.name);
  const token = (kind: Parameters<typeof tokenOf>[0]): symbol => tokenOf(kind, name);
  const number = ++calls;
  const providers: Provider[] = [
    ...(definition.providers ?? []).map((provider) => optionsProvider(provider, token('options'))),
    { provide: MODULE_NUMBER, useValue: number },
    { provide: token('dispatcher'), useFactory: () => new MessageDispatcher() },
    {
      provide: token('client'),
      useFactory: (options: MoleculeModuleOptions) =>
        namingAgent(name, () => {
          const { client } = checkOptions(options);
          const logger = client?.logger ?? nestLogger(name === '' ? 'Molecule' : `Molecule:${name}`);
          const reason = disabledBy(options);
          return new RemoteAgentClient({
            ...(reason === undefined ? client : disabledClient(client, reason)),
            logger,
          });
        }),
      inject: [token('options')],
    },
    {
      provide: token('agent'),
      useFactory: (
        options: MoleculeModuleOptions,
        client: RemoteAgentClient,
        dispatcher: MessageDispatcher,
      ) =>
        namingAgent(name, () =>
          createRemoteAgent({
            ...options.agent,
            client,
            onMessage: dispatcher.onMessage,
          }),
        ),
      inject: [token('options'), token('client'), token('dispatcher')],
    },
    {
      provide: token('hosted'),
      useFactory: (
        host: AgentHost,
        options: MoleculeModuleOptions,
        client: RemoteAgentClient,
        agent: RemoteAgent,
        dispatcher: MessageDispatcher,
      ): HostedAgent => host.add({ name, options, client, agent, dispatcher }),
      inject: [AgentHost, token('options'), token('client'), token('agent'), token('dispatcher')],
    },
    {
      provide: token('service'),
      useFactory: (agent: RemoteAgent, client: RemoteAgentClient) => new MoleculeService(agent, client),
      inject: [token('agent'), token('client')],
    },
    {
      provide: MoleculeHealthIndicator,
      useFactory: (host: AgentHost, modules: ModulesContainer) =>
        new MoleculeHealthIndicator(host.agents, modules),
      inject: [AgentHost, ModulesContainer],
    },
    // Classes as tokens, for constructors without `@Inject`.
    ...(name === '' ? [{ provide: MoleculeService, useExisting: token('service') }] : []),
  ];
  return {
    ...definition,
    module: MoleculeModule,
    global: extras.isGlobal ?? false,
    providers,
    exports: [
      ...(definition.exports ?? []),
      token('client'),
      token('agent'),
      token('service'),
      MoleculeHealthIndicator,
      ...(name === '' ? [MoleculeService] : []),
    ],
  };
}

/** By a factory: Nest 10 makes a text of all values of a dynamic module, and options may have a whole `Agent` of undici in them. */
function optionsProvider(provider: Provider, token: symbol): Provider {
  if (typeof provider === 'function' || provider.provide !== MODULE_OPTIONS_TOKEN) return provider;
  if (!('useValue' in provider)) return { ...provider, provide: token };
  const { useValue } = provider;
  return { provide: token, useFactory: () => useValue };
}

function checkName(name: unknown): string {
  if (name === undefined) return '';
  if (name === UNNAMED) {
    throw new ConfigurationError(`The name of an agent cannot be "${UNNAMED}".`, {
      hint: 'Health shows the agent without a name by this word. Leave the name out, or take another one.',
    });
  }
  if (typeof name === 'string' && name.trim() !== '') return name;
  throw new ConfigurationError('The name of an agent must be a text that is not blank.', {
    hint: "Leave it out for the only agent of the application, or name it: forRoot({ name: 'support' }).",
  });
}
