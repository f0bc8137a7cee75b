/** The client and runtime of a remote agent. A test pins this list of exports. */
export {
  type AgentCard,
  type InboundMessage,
  type InboundSource,
  type JsonObject,
  type JsonValue,
  type MessagePart,
  parseActivityRow,
  stripA2aBoundary,
  wrapA2aBoundary,
} from '@molecule-ai/protocol';
export type { AgentEventName, AgentEvents, AgentListener } from './agent/agent-events.ts';
export type { RemoteAgentOptions } from './agent/agent-options.ts';
export type { FrameworkHandler } from './agent/agent-turns.ts';
export {
  type AnswerHandler,
  type HandlerContext,
  handleSkill,
  type MessageHandler,
  type SkillHandler,
} from './agent/handlers.ts';
export type { AgentHealth } from './agent/health.ts';
export type { InboundAnswer, LateAnswer, QuestionsAnswered } from './agent/inbound-answer.ts';
export type { RemoteAgent } from './agent/remote-agent.ts';
export { createRemoteAgent } from './agent/remote-agent.ts';
export { RemoteAgentClient } from './agent/remote-agent-client.ts';
export type { HistoryPage } from './client/conversation-history.ts';
export { type CurrentMessage, currentMessage } from './client/current-message.ts';
export type { HeartbeatMetrics } from './client/heartbeat.ts';
export type { CallPeerOptions, MessageContent, SkillRequest } from './client/peer-calls.ts';
export type { PeerClient } from './client/peer-client.ts';
export type { PeerStream } from './client/peer-stream.ts';
export { FileTokenStore, MemoryTokenStore } from './credentials/token-store.ts';
export {
  AccessDeniedError,
  ApiError,
  CursorLostError,
  PageTooLargeError,
  WorkspaceRemovedError,
} from './errors/api-error.ts';
export { ConnectionError, StreamRestartedError, TimeoutError } from './errors/connection-error.ts';
export { MOLECULE_ERROR_CODES, type MoleculeErrorCode } from './errors/error-codes.ts';
export { MessageFailure } from './errors/message-failure.ts';
export { ConfigurationError, MoleculeError } from './errors/molecule-error.ts';
export { LongPollDelivery, PollDelivery } from './inbound/deliveries.ts';
export type { InboundDelivery } from './inbound/delivery.ts';
export type { AnswerContent, HandlerAnswer, QuestionToAsk } from './inbound/handler.ts';
export {
  FileInboundStore,
  type InboundStore,
  listDeadLetters,
  MemoryInboundStore,
} from './inbound/inbound-store.ts';
export type { DeadLetter } from './inbound/ledger-lines.ts';
export { type Logger, silentLogger } from './logging/logger.ts';
export type { PeerInfo } from './peers/peer-info.ts';
export {
  type PeerReply,
  type PeerReplyData,
  type PeerReplyStatus,
  peerReplyFromData,
} from './peers/peer-reply.ts';
export { messageForModel, peersForModel } from './peers/text-for-model.ts';
export type { ActivityEntry } from './platform-api/activity.ts';
export { deriveMessageId, makeIdempotencyKey } from './platform-api/idempotency-key.ts';
export type { WorkspaceInfo } from './platform-api/workspaces.ts';
export type { LoopOutcome } from './presence/presence-machine.ts';
export { A2AServer } from './server/a2a-server.ts';
export { toNodeListener } from './server/node-exchange.ts';
export type { RemoteAgentClientOptions, TokenStore } from './settings/client-settings.ts';
export type { RequestDispatcher } from './settings/connection-settings.ts';
export { defineSkill, type Skill, type SkillSchema } from './skills/skill.ts';
export type { Clock } from './time/clock.ts';
export type { CallOptions } from './transport/platform-request.ts';
export { fencePeerText, type ModelText, peerTextInstructions } from './trust-boundary/fence.ts';
export { plainPeerText } from './trust-boundary/plain-text.ts';
