import { ConfigurationError } from '@molecule-ai/core';
import { clientPort, findClientPort } from '@molecule-ai/core/adapter-kit';
import {
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost, ModuleRef, ModulesContainer } from '@nestjs/core';
import { checkAgentOf, checkAgents, noHandler } from './agent-checks.ts';
import { checkGlobalEnhancers, checkHandler } from './enhancer-checks.ts';
import { findHandlers, type Handler, MessageRoutes } from './handler-discovery.ts';
import { methodWarning, validationWarning } from './handler-warnings.ts';
import type { HostedAgent } from './hosted-agent.ts';
import { callMethod, MessageMethod } from './message-dispatcher.ts';
import { configOf } from './message-enhancers.ts';
import { disabledBy, namingAgent } from './molecule-options.ts';
import { mountAgents } from './push-mount.ts';

/** The agents of one application: checks their handlers, starts them after its start, and ends them before its providers are destroyed. */
export class AgentHost implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  readonly #modules: ModulesContainer;
  readonly #config: ApplicationConfig | undefined;
  readonly #moduleRef: ModuleRef;
  readonly #agents: HostedAgent[] = [];
  #handlers: readonly Handler[] = [];
  #isListening = false;
  readonly #started = Promise.withResolvers<void>();
  #starting: Promise<void> | undefined;
  #draining: Promise<void> | undefined;
  #closeMounts: (() => void) | undefined;
  #closing: Promise<unknown> | undefined;
  #shutdownHooks = 0;

  constructor(modules: ModulesContainer, config: ApplicationConfig | undefined, moduleRef: ModuleRef) {
    this.#modules = modules;
    this.#config = config;
    this.#moduleRef = moduleRef;
    orderHooks(modules);
  }

  /** All of them, also those that are added later. */
  get agents(): readonly HostedAgent[] {
    return this.#agents;
  }

  add(hosted: HostedAgent): HostedAgent {
    this.#agents.push(hosted);
    hosted.options.strategy?.attach(hosted.agent);
    return hosted;
  }

  /** @throws ConfigurationError for agents and handlers that do not fit together. */
  onModuleInit(): void {
    checkAgents(this.#agents, this.#modules);
    this.#handlers = findHandlers(this.#modules);
    for (const { mark, place } of this.#handlers) checkAgentOf(mark, place, this.#agents);
    for (const { name, options, client } of this.#agents) {
      const handlers = this.#messageHandlers(name);
      for (const handler of handlers) checkHandler(handler);
      if (handlers.length > 0 && options.globalEnhancers !== false) checkGlobalEnhancers(this.#modules);
      const routes = routesOf(handlers, (handler) => handler);
      const isWithout = options.withoutHandlers === true || options.strategy !== undefined;
      if (routes.size === 0 && !isWithout) throw noHandler(name);
      findClientPort(client)?.offerSkills(routes.skills.map(({ skill }) => skill));
    }
    const { httpAdapter } = this.#moduleRef.get(HttpAdapterHost, { strict: false });
    this.#closeMounts = mountAgents(this.#agents, httpAdapter);
    this.#listen();
  }

  /** Events of an agent that somebody starts before the application wait for it, as its messages do. */
  #listen(): void {
    if (this.#isListening) return;
    this.#isListening = true;
    for (const handler of this.#handlers) {
      const { mark } = handler;
      if (mark.kind !== 'event') continue;
      const hosted = this.#agents.find(({ name }) => name === mark.agent);
      hosted?.agent.on?.(mark.event, (...values) =>
        this.#started.promise.then(() => callMethod(handler, values)),
      );
    }
  }

  /** Call when each `onApplicationBootstrap` of the application is done. Does not wait for the platform. Idempotent. */
  start(): Promise<void> {
    this.#starting ??= this.#start().catch(async (error: unknown) => {
      // Nobody gets an application that could be closed.
      await this.onModuleDestroy();
      await this.#close();
      throw error;
    });
    return this.#starting;
  }

  async #start(): Promise<void> {
    const config = this.#config ?? configOf(this.#modules);
    for (const { name, options, client, dispatcher } of this.#agents) {
      const globalEnhancers = options.globalEnhancers ?? true;
      const parts = { modules: this.#modules, config, moduleRef: this.#moduleRef, globalEnhancers };
      const handlers = this.#messageHandlers(name);
      for (const handler of handlers) {
        const { mark, place } = handler;
        warn(client, validationWarning(handler, globalEnhancers ? config : undefined));
        if (mark.kind === 'task')
          warn(client, methodWarning(mark.method, `@OnTask('${mark.method}') of ${place}`));
      }
      const routes = routesOf(handlers, (handler) => new MessageMethod(handler, parts));
      dispatcher.use(routes, options.strategy);
    }
    this.#started.resolve();
    await Promise.all(this.#agents.map((hosted) => startAgent(hosted)));
  }

  /** Stops taking messages and waits for the handlers, while everything that they use is still open. */
  onModuleDestroy(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  async #drain(): Promise<void> {
    // Before the start of the application messages only wait for it.
    const limits = this.#starting === undefined ? { timeoutMs: 0 } : {};
    try {
      await Promise.all(this.#agents.map(({ agent }) => agent.stop?.(limits)));
    } finally {
      this.#closeMounts?.();
    }
  }

  /** Called by the first and by the last module of the shutdown: until then others may use the clients. */
  async onApplicationShutdown(): Promise<void> {
    this.#shutdownHooks += 1;
    if (this.#shutdownHooks < 2) return;
    await this.#close();
  }

  #close(): Promise<unknown> {
    this.#closing ??= Promise.all(this.#agents.map(({ client }) => client.close?.()));
    return this.#closing;
  }

  #messageHandlers(name: string): Handler[] {
    return this.#handlers.filter(({ mark }) => mark.agent === name && mark.kind !== 'event');
  }
}

/** Starts the agents in the last hook of the start, and ends them in the first of the shutdown on Nest 11 and 12. */
class AgentStarter implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  readonly #host: AgentHost;

  constructor(host: AgentHost) {
    this.#host = host;
  }

  onApplicationBootstrap(): Promise<void> {
    return this.#host.start();
  }

  onModuleDestroy(): Promise<void> {
    return this.#host.onModuleDestroy();
  }

  onApplicationShutdown(): Promise<void> {
    return this.#host.onApplicationShutdown();
  }
}

/** Its hooks are called before those of all other modules; when Nest goes through the modules backwards, after them. */
export class MoleculeAgentsModule {}

/** Its hooks are called after those of all other modules, or before. */
export class MoleculeStartModule {}

Module({
  providers: [
    {
      provide: AgentHost,
      useFactory: (modules: ModulesContainer, config: ApplicationConfig | undefined, moduleRef: ModuleRef) =>
        new AgentHost(modules, config, moduleRef),
      inject: [ModulesContainer, ApplicationConfig, ModuleRef],
    },
  ],
  exports: [AgentHost],
})(MoleculeAgentsModule);

Module({
  imports: [MoleculeAgentsModule],
  providers: [
    { provide: AgentStarter, useFactory: (host: AgentHost) => new AgentStarter(host), inject: [AgentHost] },
  ],
  exports: [MoleculeAgentsModule],
})(MoleculeStartModule);

/**
 * Nest calls the hooks of modules by their distance from the root: the farthest first. When the application closes, Nest 11 and 12 go
 * backwards, Nest 10 does not. No module of an application is as near or as far as these two, so that on each of them one is first.
 */
function orderHooks(modules: ModulesContainer): void {
  for (const module of modules.values()) {
    if (module.metatype === MoleculeAgentsModule) module.distance = Number.POSITIVE_INFINITY;
    if (module.metatype === MoleculeStartModule) module.distance = -1;
  }
}

/** Does not wait for the platform. @throws ConfigurationError for an agent that cannot start. */
async function startAgent(hosted: HostedAgent): Promise<void> {
  const { client, options } = hosted;
  const { manualStart, strategy } = options;
  const reason = disabledBy(options);
  if (reason !== undefined) {
    const text = `The agent joins no workspace: ${reason}.`;
    findClientPort(client)?.logger.info({ hint: 'Set enabled: true in MoleculeModule.forRoot().' }, text);
    await hosted.agent.stop?.();
    return;
  }
  if (manualStart) return;
  if (strategy === undefined) return startNow(hosted);
  const { logger } = clientPort(client);
  logger.info({}, 'The agent starts when the microservice of its MoleculeStrategy listens.');
  strategy.listening
    .then(() => {
      for (const method of strategy.methods ?? []) {
        warn(client, methodWarning(method, `@MessagePattern('${method}')`));
      }
      return startNow(hosted);
    })
    .catch((error: unknown) => logger.error({ error }, 'The agent could not start.'));
}

function warn(client: HostedAgent['client'], text: string | undefined): void {
  // A double of a client has no port.
  if (text !== undefined) findClientPort(client)?.logger.warn({}, text);
}

async function startNow({ name, agent }: HostedAgent): Promise<void> {
  if (agent.start === undefined) return;
  await agent.start({ wait: false });
  if (agent.state !== 'stopping' && agent.state !== 'stopped') return;
  // Nothing serves its URL, for instance, which is not an error of the background.
  const error = await agent.start().catch((reason: unknown) => reason);
  if (!ConfigurationError.isInstance(error)) return;
  namingAgent(name, () => {
    throw error;
  });
}

function routesOf<Route extends { readonly place: string }>(
  handlers: readonly Handler[],
  make: (handler: Handler) => Route,
): MessageRoutes<Route> {
  const routes = new MessageRoutes<Route>();
  for (const handler of handlers) routes.add(handler.mark, make(handler));
  return routes;
}
