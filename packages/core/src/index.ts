/** The client and runtime of a remote agent. A test pins this list of exports. */
export {
  type AgentCard,
  type Attachment,
  type Capability,
  createMarkerRemover,
  createMarkerScanner,
  createPeerTextFence,
  type DeliveryMode,
  type FencePeerTextOptions,
  fencePeerText,
  findLookAlikes,
  type InboundMessage,
  type InboundSource,
  type JsonObject,
  type JsonValue,
  type LookAlike,
  type MarkerScan,
  type MarkerScanner,
  type MessageAnswer,
  type MessagePart,
  type MessageState,
  type OutcomeWord,
  parseActivityRow,
  peerTextInstructions,
  type Question,
  removeBoundaryMarkers,
  stripA2aBoundary,
  type TextStage,
  wrapA2aBoundary,
} from '@molecule-ai/protocol';
export type {
  AgentEventName,
  AgentEvents,
  AgentListener,
} from './agent/agent-events.ts';
export type {
  ConflictPolicy,
  HandlerContext,
  MessageHandler,
  RemoteAgentOptions,
} from './agent/agent-options.ts';
export type { AgentHealth, AgentState, DegradedReason, LastFailure } from './agent/health.ts';
export type { InboundAuth } from './agent/inbound-auth.ts';
export type { AgentStartOptions, AgentStopOptions, RemoteAgent } from './agent/remote-agent.ts';
export { createRemoteAgent } from './agent/remote-agent.ts';
export type { AgentLoopOptions } from './agent/remote-agent-client.ts';
export { RemoteAgentClient } from './agent/remote-agent-client.ts';
export type { HistoryEntry, HistoryOptions, HistoryPage } from './client/conversation-history.ts';
export { type CurrentMessage, currentMessage } from './client/current-message.ts';
export type { HeartbeatMetrics, HeartbeatReport } from './client/heartbeat.ts';
export type {
  Acknowledgement,
  AcknowledgeOptions,
  FetchInboundOptions,
  InboundPage,
  MessageOutcome,
} from './client/inbound-page.ts';
export type {
  ListMessagesOptions,
  SentMessage,
  SentMessagePage,
  WaitForAnswerOptions,
} from './client/message-state.ts';
export type { CallPeerOptions, StreamPeerOptions } from './client/peer-calls.ts';
export type { PeerClient } from './client/peer-client.ts';
export type { PeerStream } from './client/peer-stream.ts';
export type { AnswerToQuestion } from './client/questions.ts';
export type { RegisterOptions, Registration } from './client/registration.ts';
export type {
  NotifyOptions,
  NotifyReceipt,
  ReplyContent,
  ReplyOptions,
  ReplyReceipt,
  ReplyTarget,
} from './client/reply.ts';
export type { ListTokensOptions, TokenInfo, TokenRotation } from './client/tokens.ts';
export {
  FileTokenStore,
  type FileTokenStoreOptions,
  MemoryTokenStore,
} from './credentials/token-store.ts';
export {
  AccessDeniedError,
  ApiError,
  CursorLostError,
  PageTooLargeError,
  type UnreadRow,
  WorkspaceRemovedError,
} from './errors/api-error.ts';
export {
  ConnectionError,
  type Delivered,
  StreamRestartedError,
  TimeoutError,
} from './errors/connection-error.ts';
export { MOLECULE_ERROR_CODES, type MoleculeErrorCode } from './errors/error-codes.ts';
export { MessageFailure, type MessageFailureOptions } from './errors/message-failure.ts';
export { ConfigurationError, MoleculeError } from './errors/molecule-error.ts';
export {
  type DeliveryChoice,
  LongPollDelivery,
  type LongPollDeliveryOptions,
  PollDelivery,
  type PollDeliveryOptions,
} from './inbound/deliveries.ts';
export type {
  ControlReads,
  DeliveryContext,
  DeliveryInbox,
  InboundDelivery,
} from './inbound/delivery.ts';
export type { AnswerContent, HandlerAnswer, QuestionToAsk } from './inbound/handler.ts';
export {
  FileInboundStore,
  type InboundStore,
  listDeadLetters,
  MemoryInboundStore,
} from './inbound/inbound-store.ts';
export type { DeadLetter } from './inbound/ledger-lines.ts';
export { type LogFields, type Logger, silentLogger } from './logging/logger.ts';
export type { PeerChange, PeerTrait } from './peers/peer-identities.ts';
export type { PeerInfo } from './peers/peer-info.ts';
export {
  type PeerReply,
  type PeerReplyData,
  type PeerReplyStatus,
  peerReplyFromData,
} from './peers/peer-reply.ts';
export { type MessageForModelOptions, messageForModel, peersForModel } from './peers/text-for-model.ts';
export type { ActivityEntry, ActivityFilters, ActivityPage } from './platform-api/activity.ts';
export {
  deriveMessageId,
  type IdempotencyKeyOptions,
  makeIdempotencyKey,
} from './platform-api/idempotency-key.ts';
export type { GetWorkspaceOptions, WorkspaceInfo, WorkspaceStateReport } from './platform-api/workspaces.ts';
export type { LoopOutcome } from './presence/presence-machine.ts';
export type { HeartbeatLoopRunOptions } from './presence/run-heartbeat-loop.ts';
export { A2AServer, type A2AServerOptions } from './server/a2a-server.ts';
export { toNodeListener } from './server/node-exchange.ts';
export type { RemoteAgentClientOptions, TokenStore } from './settings/client-settings.ts';
export type {
  DispatchController,
  DispatchedRequest,
  DispatchHandler,
  RequestDispatcher,
} from './settings/connection-settings.ts';
export type { Clock, SleepOptions, Timer } from './time/clock.ts';
export type { CallOptions } from './transport/platform-request.ts';
