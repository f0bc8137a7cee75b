/** NestJS for Molecule AI. A test pins this list of exports. */
export {
  Answer,
  type AnswerOptions,
  type HandlerOptions,
  Message,
  MessageContext,
  MessageData,
  MessageParams,
  type MessagePeer,
  MessageText,
  OnAgentEvent,
  OnAnswer,
  OnMessage,
  OnPeerMessage,
  OnTask,
  OnUserMessage,
  Peer,
  type PeerMessageOptions,
  Signal,
  Skill,
} from './decorators.ts';
export {
  MoleculeHealthIndicator,
  type MoleculeHealthOptions,
  type MoleculeHealthResult,
  type MoleculeHealthStatus,
} from './health-indicator.ts';
export {
  getAgentToken,
  getMoleculeClientToken,
  getMoleculeOptionsToken,
  getMoleculeServiceToken,
  InjectAgent,
  InjectMolecule,
  InjectMoleculeClient,
} from './injection.ts';
export { MoleculeModule, type MoleculeModuleAsyncOptions } from './molecule-module.ts';
export type {
  MessageStrategy,
  MoleculeModuleExtras,
  MoleculeModuleOptions,
  MoleculeOptionsFactory,
  PushOptions,
} from './molecule-options.ts';
export { MoleculeService } from './molecule-service.ts';
export { nestLogger } from './nest-logger.ts';
export { PeerTextInterceptor, StripA2aBoundaryPipe, UntrustedText } from './peer-text.ts';
export { PeerReplyError } from './reply-errors.ts';
export type { StandardSchema } from './schema-pipe.ts';
