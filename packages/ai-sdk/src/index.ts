/** The AI SDK for Molecule AI. A test pins this list of exports. */

export type { Approvals } from '@molecule-ai/core/adapter-kit';
export { type AiSdkHandlerOptions, createAiSdkHandler } from './ai-sdk-handler.ts';
export { boundaryMiddleware } from './boundary-middleware.ts';
export { type ConversationStore, MemoryConversationStore } from './conversation-store.ts';
export type {
  PeerLanguageModel,
  PeerModelCallOptions,
  PeerModelErrorData,
  PeerModelMetadata,
} from './peer-model.ts';
export { createMolecule, type MoleculeOptions, type MoleculeProvider } from './peer-provider.ts';
export {
  type CreatePeerToolsOptions,
  createPeerTools,
  createSkillTool,
  type PeerToolInput,
  type PeerToolOutput,
  type PeerToolRequest,
  type PeerToolSet,
} from './peer-tools.ts';
export type { AgentRun, AgentSettings, SomeAgent } from './runs.ts';
