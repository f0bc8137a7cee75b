/** The AI SDK for Molecule AI. A test pins this list of exports. */
export { type ChatAgent, type ChatRouteOptions, createChatRoute, type FinishedChat } from './chat-route.ts';
export { type ConversationStore, MemoryConversationStore } from './conversation-store.ts';
export type {
  PeerLanguageModel,
  PeerModelCallOptions,
  PeerModelErrorData,
  PeerModelMetadata,
} from './peer-model.ts';
export { createMolecule, type MoleculeOptions, type MoleculeProvider } from './peer-provider.ts';
