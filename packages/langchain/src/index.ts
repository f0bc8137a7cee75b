/** LangChain and LangGraph for Molecule AI. A test pins this list of exports. */
export { createLangChainHandler, type LangChainHandlerOptions } from './langchain-handler.ts';
export {
  type CreatePeerToolsOptions,
  createPeerTools,
  type PeerProgress,
  type PeerStructuredTool,
  type PeerStructuredToolList,
  type PeerToolMessage,
} from './peer-tools.ts';
export { type PeersMiddleware, peersMiddleware } from './peers-middleware.ts';
export type { Approvals } from './run-questions.ts';
export type { SomeRunnable } from './runs.ts';
export { StripBoundaryOutputParser } from './strip-boundary-output-parser.ts';
