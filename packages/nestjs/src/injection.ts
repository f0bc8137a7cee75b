import { Inject } from '@nestjs/common';

/** The tokens are the same in each copy of this package, so that ES modules and CommonJS inject each other's. */
const PREFIX = '@molecule-ai/nestjs';

/** The injection token of the agent of this name; without a name, of the one that has none. It is a `RemoteAgent`. */
export function getAgentToken(name?: string): symbol {
  return tokenOf('agent', name);
}

/** The injection token of the client of an agent, a `RemoteAgentClient`. */
export function getMoleculeClientToken(name?: string): symbol {
  return tokenOf('client', name);
}

/** The injection token of the options of an agent, for `overrideProvider` in tests. */
export function getMoleculeOptionsToken(name?: string): symbol {
  return tokenOf('options', name);
}

/**
 * Injects the `RemoteAgent` of this name.
 *
 * @example
 * constructor(@InjectAgent('support') private readonly agent: RemoteAgent) {}
 */
export function InjectAgent(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getAgentToken(name));
}

/**
 * Injects the `RemoteAgentClient` of the agent of this name: for calls to peers.
 *
 * @example
 * constructor(@InjectMoleculeClient() private readonly client: RemoteAgentClient) {}
 */
export function InjectMoleculeClient(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getMoleculeClientToken(name));
}

/** The injection token of the `MoleculeService` of the agent of this name; without a name the class itself is one as well. */
export function getMoleculeServiceToken(name?: string): symbol {
  return tokenOf('service', name);
}

/**
 * Injects the `MoleculeService` of the agent of this name.
 *
 * @example
 * constructor(@InjectMolecule('support') private readonly molecule: MoleculeService) {}
 */
export function InjectMolecule(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getMoleculeServiceToken(name));
}

/** A token of what the module keeps for one agent. */
export function tokenOf(
  kind: 'agent' | 'client' | 'options' | 'hosted' | 'dispatcher' | 'service',
  name = '',
): symbol {
  return Symbol.for(name === '' ? `${PREFIX}/${kind}` : `${PREFIX}/${kind}:${name}`);
}

/** Marks each import of `MoleculeModule`, those without `forRoot()` too. */
export const MODULE_MARK = Symbol.for(`${PREFIX}/module`);

/** Numbers the calls of `forRoot()`: Nest 10 takes two modules with the same metadata as one. */
export const MODULE_NUMBER = Symbol.for(`${PREFIX}/module-number`);
