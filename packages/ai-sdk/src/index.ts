/** The AI SDK for Molecule AI. A test pins this list of exports. */
export { type ConversationStore, MemoryConversationStore } from './conversation-store.ts';
