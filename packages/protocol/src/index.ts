/**
 * Everything on the wire between a platform and a remote agent: schemas of every body, the closed lists of errors
 * and routes, tolerant parsing of messages, and the trust boundary. This list is the public API; a test pins it.
 */

import * as z from './zod.ts';

export { toA2a1Response, toA2a1StreamEvent, toA2a1TaskResponse } from './a2a-1-responses.ts';
export { type CardSubject, toA2aCard } from './a2a-card.ts';
export { a2aMethod, isA2a1, repairMessage, toA2a03Parts, toA2a03Request } from './a2a-versions.ts';
export {
  ACTIVITY_TYPES,
  AckRequest,
  AckResponse,
  ActivityData,
  ActivityList,
  ActivityQuery,
  ActivityRow,
  ActivityRowQuery,
  ActivityRowResponse,
  type ActivityType,
  CompactRow,
  ControlList,
  ControlRow,
  DELIVERY_STATES,
  type DeliveryState,
  FeedResponse,
  ReportActivityRequest,
  ReportActivityResponse,
} from './activity.ts';
export { A2aAgentCard, AgentCard, AgentSkill, skillName } from './agent-card.ts';
export { CAPABILITIES, CAPABILITIES_HEADER, type Capability, parseCapabilities } from './capabilities.ts';
export {
  CreateSessionRequest,
  ListTokensQuery,
  MintOrgKeyRequest,
  MintOrgKeyResponse,
  MintTokenRequest,
  MintTokenResponse,
  OrgKeyList,
  OrgKeyRow,
  RevokeOrgKeyResponse,
  RevokeTokenResponse,
  SessionResponse,
  TokenList,
  TokenRow,
} from './credentials.ts';
export {
  CancelDelegationResponse,
  DELEGATION_STATUSES,
  DelegateRequest,
  DelegateResponse,
  DelegationList,
  DelegationRow,
  type DelegationStatus,
  RecordDelegationRequest,
  RecordDelegationResponse,
  UpdateDelegationRequest,
} from './delegation.ts';
export { ErrorBody, errorBodyOf } from './error-body.ts';
export {
  ERROR_CODE_LIST,
  ERROR_CODES,
  type ErrorCode,
  errorMayHaveStatus,
  errorStatus,
  isErrorCode,
} from './error-codes.ts';
export { checkExchange, type Exchange } from './exchange.ts';
export { BODY_LIMITS, FIELD_LIMITS, isColumnText, toColumnText, utf8Length } from './field-limits.ts';
export { describeProblems, type FieldProblem, fieldProblems } from './field-problems.ts';
export { AdminLiveness, Health, PlatformFacts, Ready } from './health.ts';
export {
  Cents,
  Count,
  DELIVERY_MODES,
  DeliveryMode,
  IdempotencyKey,
  MessageId,
  NIL_UUID,
  Uuid,
  WorkspaceId,
} from './ids.ts';
export { type InboundFeed, parseActivityFeed } from './inbound-feed.ts';
export {
  type AnsweredQuestion,
  type InboundMessage,
  type InboundSource,
  type ParseRowOptions,
  parseActivityRow,
} from './inbound-message.ts';
export { exceededJsonLimit, JSON_LIMITS, type JsonLimit, type JsonLimits } from './json-limits.ts';
export { type LateEnd, lateEndIn, type OwnEnd, withOwnEnd } from './late-ends.ts';
export {
  A2aMessage,
  A2aRequest,
  type AnswerEnvelope,
  buildAnswer,
  buildSendMessage,
  DataPart,
  dataPart,
  FilePart,
  isJsonRpcResponse,
  JsonRpcError,
  JsonRpcResponse,
  MessagePart,
  type SendMessageInput,
  SendMessageRequest,
  TaskRequest,
  TextPart,
  textPart,
} from './message.ts';
export {
  A2aTask,
  isEnded,
  isMessageState,
  ListMessagesQuery,
  MAX_OUTCOME_ERROR_LENGTH,
  MAX_OUTCOMES,
  MESSAGE_STATES,
  MessageListResponse,
  type MessageState,
  MessageSummary,
  messageStateOfTask,
  OUTCOMES,
  Outcome,
  OutcomeReceipt,
  type OutcomeWord,
  TASK_STATES,
  type TaskState,
  taskStateOf,
} from './message-ends.ts';
export {
  A2aResponse,
  GetMessageQuery,
  isQueuedResponse,
  MessageRecord,
  OwnMessageQuery,
  QueuedResponse,
  ReplyAccepted,
  ReplyIgnored,
} from './message-responses.ts';
export { dataOfParts, extractAnswerText, extractMessageText, extractParts } from './message-text.ts';
export { type MessageView, viewMessage } from './message-view.ts';
export { Attachment, DownloadQuery, NotifyRequest, NotifyResponse, UploadResponse } from './notify.ts';
export { isJsonObject, JsonObject, JsonValue, MAX_JSON_DEPTH } from './open-json.ts';
export { OpenApiDocument } from './openapi.ts';
export {
  CheckAccessRequest,
  CheckAccessResponse,
  DiscoverResponse,
  Jwks,
  PEER_TOKEN_USES,
  PeerList,
  PeerRow,
  PeersQuery,
  PeerTokenClaims,
} from './peers.ts';
export {
  checkEventFrame,
  EventFrame,
  EventList,
  EventRow,
  EventsQuery,
  PLATFORM_EVENT_NAMES,
  PLATFORM_EVENTS,
  type PlatformEventName,
  type PlatformEventPayload,
  SseFrame,
} from './platform-event.ts';
export {
  type OriginalInMetadata,
  originalIn,
  PLATFORM_WORDS,
  type PlatformWords,
  VARIABLE_METADATA,
  withOriginal,
  withoutPlatformWords,
  withoutPlatformWordsIn,
  withoutReply,
} from './platform-words.ts';
export {
  InstalledPlugin,
  InstalledPluginList,
  PluginCompatibility,
  PluginDownloadQuery,
  PluginList,
  PluginRow,
  PluginSources,
  PluginsQuery,
  RemovePluginResponse,
  ReportPluginRequest,
  ReportPluginResponse,
  Sha256Hex,
} from './plugin.ts';
export { GoodbyeRequest, GoodbyeResponse, INSTANCE_HEADER, TAKEOVER_HEADER } from './presence-identity.ts';
export {
  PROBE_CLOCK_SKEW,
  PROBE_HEADER,
  PROBE_REASONS,
  type ProbeReason,
  ProbeRequest,
  ProbeResponse,
  STATE_CALL_METHOD,
} from './probe.ts';
export {
  AnswerQuestionRequest,
  AnswerQuestionResponse,
  AskQuestionsRequest,
  AskQuestionsResponse,
  ListQuestionsQuery,
  MAX_QUESTION_LENGTH,
  MAX_QUESTIONS,
  Question,
  QuestionAnswer,
  QuestionListResponse,
  QuestionRecord,
} from './questions.ts';
export { type ResponseReading, readResponse } from './read-response.ts';
export {
  HeartbeatRequest,
  HeartbeatResponse,
  RegisterRequest,
  RegisterResponse,
  RuntimeMetadata,
  UpdateCardRequest,
  UpdateCardResponse,
} from './registration.ts';
export {
  ACCESS_ERRORS,
  type PathParams,
  type RawBody,
  type Route,
  type RouteAccess,
  type RouteParams,
  type RouteQuery,
  type RouteRepeat,
  type RouteRequest,
  type RouteResponse,
  type RouteStatus,
  type RouteTimeLimit,
} from './routes/route.ts';
export { buildPath, findRoute, type KnownRoute, type RouteName, routes } from './routes/table.ts';
export {
  DeleteSecretResponse,
  type ReadSecrets,
  readSecrets,
  SecretBundle,
  SecretList,
  SecretRow,
  SecretsQuery,
  SecretsResponse,
  SecretValues,
  SetSecretRequest,
  SetSecretResponse,
} from './secrets.ts';
export { DataLines } from './streams/data-lines.ts';
export { GrowingText } from './streams/growing-text.ts';
export { MAX_PROGRESS_LENGTH, ProgressRequest, ProgressResponse } from './streams/progress.ts';
export {
  ANSWER_EXTENSION,
  isAtRest,
  readStreamEvent,
  SSE_KEEP_ALIVE,
  type StreamEnd,
  type StreamEvent,
  StreamEvents,
  type StreamedMessage,
  sseEvent,
} from './streams/stream-events.ts';
export { StreamedAnswer, type StreamStep } from './streams/streamed-answer.ts';
export {
  createBoundaryStripper,
  createBoundaryWrapper,
  PEER_BOUNDARY_END,
  PEER_BOUNDARY_START,
  stripA2aBoundary,
  type TextStage,
  wrapA2aBoundary,
} from './trust-boundary/boundary.ts';
export { createMarkerScanner, findLookAlikes, type MarkerScan } from './trust-boundary/look-alikes.ts';
export { unwrapPeerAnswer, wrapPeerAnswer } from './trust-boundary/peer-answer.ts';
export { type OpenWord, type Wire, type WireBuilder, type WireType, wire } from './wire.ts';
export {
  Budget,
  CreateWorkspaceRequest,
  CreateWorkspaceResponse,
  DeleteWorkspaceQuery,
  DeleteWorkspaceResponse,
  GetWorkspaceQuery,
  PatchWorkspaceRequest,
  PatchWorkspaceResponse,
  PauseResponse,
  ResumeResponse,
  SetBudgetRequest,
  WORKSPACE_STATUSES,
  WorkspaceConnection,
  WorkspaceDetail,
  WorkspaceList,
  WorkspaceListRow,
  WorkspaceState,
  type WorkspaceStatus,
} from './workspace.ts';
export { z };
