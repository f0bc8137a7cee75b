import type { JsonValue } from '@molecule-ai/protocol';
import { handlerSignal } from '../client/current-message.ts';
import type { PeerClient } from '../client/platform-client.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { brokenOutcome, type FailureData, failureOf, type OutcomeContext } from './failure-outcome.ts';
import type { ReplyContext } from './reply-outcome.ts';
import type { ToolCall, ToolDefinition, ToolOutcome } from './tool-definition.ts';

/** What all tools of one agent share. */
export interface ToolContext extends ReplyContext {
  readonly client: PeerClient;
  /** How long a tool waits for a peer, in milliseconds. */
  readonly timeoutMs: number;
}

/** Runs the work of a tool: what it throws becomes an outcome, except the reason of an abort. */
export async function asOutcome<Data extends JsonValue>(
  context: ToolContext,
  { signal }: ToolCall,
  work: () => Promise<ToolOutcome<Data>>,
): Promise<ToolOutcome<Data | FailureData>> {
  // The signal of the handler ends its tools as well, also where the framework does not pass it on.
  const ending = [signal, handlerSignal()];
  for (const each of ending) each?.throwIfAborted();
  try {
    return await work();
  } catch (error) {
    for (const each of ending) {
      if (each?.aborted === true) throw each.reason;
    }
    if (MoleculeError.isInstance(error)) return failureOf(error, context);
    context.client.logger.error({ error }, 'A tool for peers failed.');
    return brokenOutcome();
  }
}

/**
 * Checks the arguments and runs the tool: wrong arguments are an outcome too, with what to correct. Rejects only with the
 * reason of an abort.
 */
export async function runTool<Definition extends ToolDefinition>(
  definition: Definition,
  raw: unknown,
  call: ToolCall = {},
): Promise<Awaited<ReturnType<Definition['run']>> | ToolOutcome<FailureData>> {
  let input: unknown;
  try {
    input = definition.parse(raw);
  } catch (error) {
    if (!MoleculeError.isInstance(error)) throw error;
    return failureOf(error, NO_CONTEXT);
  }
  return (await definition.run(input, call)) as Awaited<ReturnType<Definition['run']>>;
}

const NO_CONTEXT: OutcomeContext = { offered: new Set(), ownId: '' };
