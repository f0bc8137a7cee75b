/** LangChain and LangGraph for Molecule AI. A test pins this list of exports. */

export type { Approvals } from '@molecule-ai/core/adapter-kit';
export { createLangChainHandler, type LangChainHandlerOptions } from './langchain-handler.ts';
export {
  type PeerMessage,
  type PeerMessageData,
  type PeerMessageHistory,
  type PeerMessageHistoryOptions,
  type PeerRunnableInput,
  type PeerRunnableOutput,
  peerMessageHistory,
} from './peer-messages.ts';
export { createPeerRunnable, type PeerRunnable, type PeerRunnableOptions } from './peer-runnable.ts';
export {
  type CreatePeerToolsOptions,
  createPeerTools,
  createSkillTool,
  type PeerProgress,
  type PeerStructuredTool,
  type PeerStructuredToolList,
  type PeerToolMessage,
} from './peer-tools.ts';
export { type PeersMiddleware, peersMiddleware, StripBoundaryOutputParser } from './peers-middleware.ts';
export type { SomeRunnable } from './runs.ts';
