import { CANVAS_CALLER } from '../http/callers.ts';

/**
 * Under which caller a message is stored that its sender did not send through the platform: not under the sender, whose
 * message ids and list of sent messages are its own.
 */
export function directCaller(agentId: string, sourceId: string): string {
  return `direct:${agentId}:${sourceId}`;
}

/** Whether the platform knows a message only from its agent, which may have invented it. */
export function isDirect({ caller }: { readonly caller: string }): boolean {
  return caller.startsWith('direct:');
}

/** The same for a message that the platform writes in the name of a sender, to deliver answers to questions. */
export function answersCaller(agentId: string, sourceId: string | null): string {
  return `answers:${agentId}:${sourceId ?? CANVAS_CALLER}`;
}

/** The callers under which a message from `caller` to the agent may be stored. */
export function callersOf(agentId: string, caller: string): readonly [string, string, string] {
  return [caller, directCaller(agentId, caller), answersCaller(agentId, caller)];
}
