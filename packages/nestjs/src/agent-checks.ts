import { ConfigurationError } from '@molecule-ai/core';
import { findClientPort } from '@molecule-ai/core/adapter-kit';
import type { ModulesContainer } from '@nestjs/core';
import type { HandlerMark } from './decorators.ts';
import type { NestModule } from './handler-discovery.ts';
import type { HostedAgent } from './hosted-agent.ts';
import { MODULE_MARK, MODULE_NUMBER, tokenOf } from './injection.ts';
import { agentLabel } from './molecule-options.ts';

/** @throws ConfigurationError for agents that do not fit together, naming both. */
export function checkAgents(agents: readonly HostedAgent[], modules: ModulesContainer): void {
  checkModules(modules);
  checkNames(agents, modules);
  checkPairs(
    agents,
    ({ client }) => client.workspaceId && `${client.platformUrl} ${client.workspaceId}`,
    (both) =>
      new ConfigurationError(`One workspace for two agents: ${both} have the same workspaceId.`, {
        hint: 'Give each its own workspaceId (or MOLECULE_WORKSPACE_ID, WORKSPACE_ID) and authToken in forRoot().',
      }),
  );
  checkPairs(
    agents,
    ({ client, options }) =>
      options.agent?.store === undefined ? findClientPort(client)?.stateDirectory : undefined,
    (both) =>
      new ConfigurationError(
        `One state directory for two agents: ${both} have the same client.storage.directory.`,
        {
          hint: 'Set it in each forRoot(), or leave it and MOLECULE_STATE_DIR out: each workspace then has a directory of its own.',
        },
      ),
  );
  checkPairs(
    agents,
    ({ options }) => options.strategy,
    (both) =>
      new ConfigurationError(`One MoleculeStrategy for two agents: ${both}.`, {
        hint: 'Pass a new MoleculeStrategy() to each MoleculeModule.forRoot(), and connect a microservice for each.',
      }),
  );
}

/** @throws ConfigurationError for a handler of an agent that does not exist. */
export function checkAgentOf({ agent }: HandlerMark, place: string, agents: readonly HostedAgent[]): void {
  if (agents.some(({ name }) => name === agent)) return;
  const known = agents.map(({ name }) => agentLabel(name)).join(', ');
  throw new ConfigurationError(
    `${place} is a method of ${agentLabel(agent)}, which no module has. There is ${known}.`,
    {
      hint: "Name the agent in the decorator, such as @OnMessage({ agent: 'support' }), as in MoleculeModule.forRoot({ name: 'support' }).",
    },
  );
}

export function noHandler(name: string): ConfigurationError {
  const decorator = name === '' ? '@OnMessage()' : `@OnMessage({ agent: '${name}' })`;
  return new ConfigurationError(`No method handles the messages of ${agentLabel(name)}.`, {
    hint: `Decorate a method of a provider or controller with ${decorator}, or set withoutHandlers: true for an application that only calls others. Methods of what a request-scoped or transient factory makes are not found.`,
  });
}

function checkModules(modules: ModulesContainer): void {
  const all = [...modules.values()];
  const empty = all.filter(({ providers }) => providers.has(MODULE_MARK) && !providers.has(MODULE_NUMBER));
  const importer = all.find(({ imports }) => empty.some((module) => imports.has(module)));
  if (importer === undefined) return;
  throw new ConfigurationError(
    `${importer.name} imports MoleculeModule without forRoot() or forRootAsync().`,
    {
      hint: 'Import what forRoot() returned; with isGlobal: true in the root module others need no import.',
    },
  );
}

function checkNames(agents: readonly HostedAgent[], modules: ModulesContainer): void {
  for (const [index, { name }] of agents.entries()) {
    if (agents.findIndex((other) => other.name === name) === index) continue;
    const [first, second] = importersOf(modules, tokenOf('hosted', name));
    throw new ConfigurationError(
      `Two modules make ${agentLabel(name)}: one is imported by ${first}, the other by ${second}.`,
      {
        hint: "Call MoleculeModule.forRoot() once and import the result, or set isGlobal: true; several agents have a name each: forRoot({ name: 'support' }).",
      },
    );
  }
}

/** Finds two agents that share what each needs for itself; agents without it share nothing. */
function checkPairs(
  agents: readonly HostedAgent[],
  part: (agent: HostedAgent) => unknown,
  problem: (both: string) => ConfigurationError,
): void {
  const names = new Map<unknown, string>();
  for (const agent of agents) {
    const own = part(agent);
    if (own === undefined) continue;
    const other = names.get(own);
    if (other !== undefined) throw problem(`${agentLabel(other)} and ${agentLabel(agent.name)}`);
    names.set(own, agent.name);
  }
}

/** Names the modules that import each module with this provider. */
function importersOf(modules: ModulesContainer, token: symbol): string[] {
  const all = [...modules.values()];
  return all
    .filter((module) => module.providers.has(token))
    .map((module) => {
      // A global module is also imported by those that do not name it.
      const importers = all.filter(
        (other) => other.imports.has(module) && (!module.isGlobal || names(other, module)),
      );
      return importers.map(({ name }) => name).join(', ') || 'a module';
    });
}

function names({ metatype }: NestModule, { metatype: imported }: NestModule): boolean {
  const imports: unknown = Reflect.getMetadata('imports', metatype);
  return (Array.isArray(imports) ? imports : []).some(
    (entry: unknown) => Reflect.get(Object(entry), 'module') === imported,
  );
}
