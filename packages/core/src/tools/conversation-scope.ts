import { AsyncLocalStorage } from 'node:async_hooks';
import { processState } from '../storage/process-state.ts';

/** One for the process: an application may load this package both as ES module and as CommonJS. */
const scopes = processState('conversations', () => new AsyncLocalStorage<string>());

/**
 * Runs work that belongs to one conversation of a program which handles no message, such as a chat. Peers that are asked in it remember
 * what they were asked there before, and calls with the same ids in two conversations are two messages.
 * @param conversationId unique in this program, the same after a restart
 */
export function inConversation<T>(conversationId: string, work: () => T): T {
  return scopes.run(conversationId, work);
}

/** The conversation of {@link inConversation} in which the calling code runs; `''` outside of all. */
export function currentConversation(): string {
  return scopes.getStore() ?? '';
}
