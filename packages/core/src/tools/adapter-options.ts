import { findClientPort } from '../client/client-port.ts';
import { numberProblem } from '../settings/checked-values.ts';
import { isWorkspaceId } from '../settings/client-settings.ts';
import { type KnownOptions, unknownOptions } from '../settings/known-options.ts';
import { describe, eitherOf, isObject, type NumberBounds } from '../settings/options.ts';

/** What a value of an option may be: a type, one of several words, or a number within bounds. */
export type OptionKind = 'text' | 'flag' | 'function' | 'object' | readonly string[] | NumberBounds;

/**
 * What is wrong with the options that an adapter is created with, in words for their programmer; `null` when nothing is. Options that are
 * left out are right. Contents of objects are not repeated.
 * @param known all options of `what`; any other is wrong
 */
export function optionsProblem<Options>(
  options: unknown,
  kinds: Readonly<Record<string, OptionKind>>,
  what = '',
  known?: KnownOptions<Options>,
): string | null {
  if (!isObject(options)) return `The options must be an object, got ${describe(options)}.`;
  for (const [name, kind] of Object.entries(kinds)) {
    const value: unknown = Reflect.get(options, name);
    const problem = value === undefined ? null : optionProblem(`\`${name}\``, value, kind);
    if (problem !== null) return problem;
  }
  const unknown = known === undefined ? null : unknownOptions(what, options, known);
  return unknown === null ? null : `${unknown.problem} ${unknown.hint ?? ''}`.trim();
}

/** What is wrong with a client; `null` when nothing is. */
export function clientProblem(client: unknown): string | null {
  if (findClientPort(client) !== undefined) return null;
  return `The client must be a RemoteAgentClient, or that of a running agent or of a handler's context, got ${describe(client)}.`;
}

/** What is wrong with the id of a peer; `null` when nothing is. */
export function peerIdProblem(peerId: unknown): string | null {
  if (typeof peerId === 'string' && isWorkspaceId(peerId)) return null;
  return `The id of the peer must be a UUID as getPeers() gives it, not a name: got ${describe(peerId)}.`;
}

function optionProblem(name: string, value: unknown, kind: OptionKind): string | null {
  if (typeof kind !== 'string') {
    if ('min' in kind) return numberProblem(name, value, kind);
    const words = eitherOf(kind.map((word) => JSON.stringify(word)));
    return kind.some((word) => word === value) ? null : `${name} must be ${words}, got ${describe(value)}.`;
  }
  const [isRight, expected] = KINDS[kind];
  return isRight(value) ? null : `${name} must be ${expected}, got ${describe(value)}.`;
}

const KINDS = {
  text: [(value: unknown) => typeof value === 'string' && value.trim() !== '', 'a text that is not blank'],
  flag: [(value: unknown) => typeof value === 'boolean', 'true or false'],
  function: [(value: unknown) => typeof value === 'function', 'a function'],
  object: [isObject, 'an object'],
} as const;
