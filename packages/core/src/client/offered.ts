import { type Capability, routes } from '@molecule-ai/protocol';
import { ApiError } from '../errors/api-error.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { send } from '../platform-api/call.ts';
import type { Transport } from '../transport/transport.ts';

/** What only some platforms have, and what to do without it. */
export interface Feature {
  readonly word: Capability;
  readonly problem: string;
  readonly hint: string;
}

/** @throws MoleculeError `not_supported` for a platform that has responded without this word. */
export function requireOffered({ capabilities }: Transport, feature: Feature): void {
  if (capabilities.lacks(feature.word)) throw notSupported(feature);
}

/** Calls a route of a feature. @throws MoleculeError `not_supported` for a platform without it. */
export async function whereOffered<T>(
  transport: Transport,
  feature: Feature,
  work: () => Promise<T>,
): Promise<T> {
  requireOffered(transport, feature);
  try {
    return await work();
  } catch (error) {
    const isRouteUnknown = ApiError.isInstance(error) && error.code === 'routing_problem';
    const isMissing = isRouteUnknown && !transport.capabilities.words.has(feature.word);
    throw isMissing ? notSupported(feature, error) : error;
  }
}

/** A platform that has not responded to this client yet names its capabilities in any response. */
export async function learnCapabilities(transport: Transport, signal: AbortSignal): Promise<void> {
  const { capabilities } = transport;
  if (capabilities.isKnown) return;
  await send(transport, routes.health, { signal, lane: 'receiving' }).catch((error: unknown) => {
    if (!capabilities.isKnown) throw error;
  });
}

function notSupported({ problem, hint }: Feature, cause?: unknown): MoleculeError {
  return new MoleculeError(problem, { code: 'not_supported', hint, cause });
}
