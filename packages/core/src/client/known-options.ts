import type { ActivityFilters } from '../platform-api/activity.ts';
import type { GetWorkspaceOptions } from '../platform-api/workspaces.ts';
import { knownOptions } from '../settings/known-options.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { FetchCancellationsOptions } from './cancellation.ts';
import type { HistoryOptions } from './conversation-history.ts';
import type { HeartbeatMetrics, HeartbeatOptions } from './heartbeat.ts';
import type { AcknowledgeOptions, FetchInboundOptions, ReadInboundOptions } from './inbound-page.ts';
import type { ListMessagesOptions, WaitForAnswerOptions } from './message-state.ts';
import type { CallPeerOptions, SendMessageOptions } from './peer-calls.ts';
import type { ListQuestionsOptions } from './questions.ts';
import type { RegisterOptions } from './registration.ts';
import type { NotifyOptions, ReplyOptions } from './reply.ts';

/** The options that the methods of the clients take. */

export const CALL = knownOptions<CallOptions>({ signal: true });

export const GET_WORKSPACE = knownOptions<GetWorkspaceOptions>({ signal: true, includeRemoved: true });

const ofMessage = {
  signal: true,
  messageId: true,
  contextId: true,
  timeoutMs: true,
  metadata: true,
  answers: true,
} as const;

export const SEND_MESSAGE = knownOptions<SendMessageOptions>(ofMessage);
export const CALL_PEER = knownOptions<CallPeerOptions>({ ...ofMessage, via: true });

export const WAIT_FOR_ANSWER = knownOptions<WaitForAnswerOptions>({
  signal: true,
  timeoutMs: true,
  peerId: true,
});

export const LIST_MESSAGES = knownOptions<ListMessagesOptions>({
  signal: true,
  state: true,
  since: true,
  limit: true,
});

export const LIST_QUESTIONS = knownOptions<ListQuestionsOptions>({
  signal: true,
  state: true,
  limit: true,
  offset: true,
});

const ofInstance = { signal: true, instanceId: true } as const;

export const REGISTER = knownOptions<RegisterOptions>({
  ...ofInstance,
  isRetried: true,
  deliveryMode: true,
  agentCard: true,
});

export const POLL_STATE = knownOptions<Pick<RegisterOptions, 'signal' | 'isRetried'>>({
  signal: true,
  isRetried: true,
});

export const HEARTBEAT = knownOptions<HeartbeatOptions>({ ...ofInstance, isRetried: true, thread: true });

export const HEARTBEAT_METRICS = knownOptions<HeartbeatMetrics>({
  currentTask: true,
  activeTasks: true,
  errorRate: true,
  sampleError: true,
  uptimeSeconds: true,
  monthlySpendCents: true,
  runtimeState: true,
  runtimeMetadata: true,
  eventLoopLagMs: true,
});

const ofRead = {
  signal: true,
  sinceId: true,
  peerId: true,
  beforeTs: true,
  limit: true,
  sinceSecs: true,
  waitSecs: true,
  unacknowledged: true,
  order: true,
} as const;

export const LIST_ACTIVITY = knownOptions<ActivityFilters & CallOptions>({
  ...ofRead,
  beforeId: true,
  type: true,
  source: true,
  direction: true,
  conversationId: true,
});

export const FETCH_INBOUND = knownOptions<FetchInboundOptions>(ofRead);

export const READ_INBOUND = knownOptions<ReadInboundOptions>({
  ...ofRead,
  instanceId: true,
  takeover: true,
  takesTurns: true,
  isRetried: true,
});

export const FETCH_CANCELLATIONS = knownOptions<FetchCancellationsOptions>({
  signal: true,
  sinceSeq: true,
  waitSecs: true,
  takesTurns: true,
  isRetried: true,
});

export const HISTORY = knownOptions<HistoryOptions>({ signal: true, limit: true, before: true });

export const ACKNOWLEDGE = knownOptions<AcknowledgeOptions>({ signal: true, outcomes: true });

export const REPLY = knownOptions<ReplyOptions>({ signal: true, idempotencyKey: true, end: true });

export const NOTIFY = knownOptions<NotifyOptions>({
  signal: true,
  attachments: true,
  idempotencyKey: true,
  inReplyTo: true,
  metadata: true,
});
