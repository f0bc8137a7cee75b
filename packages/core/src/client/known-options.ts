import type { ActivityFilters } from '../platform-api/activity.ts';
import type { GetWorkspaceOptions } from '../platform-api/workspaces.ts';
import { knownOptions } from '../settings/known-options.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { WaitForAnswerOptions } from './message-state.ts';
import type { CallPeerOptions, SendMessageOptions } from './peer-calls.ts';

/** Options of more than one method. */

export const CALL = knownOptions<CallOptions>({ signal: true });

export const GET_WORKSPACE = knownOptions<GetWorkspaceOptions>({ signal: true, includeRemoved: true });

export const WAIT_FOR_ANSWER = knownOptions<WaitForAnswerOptions>({
  signal: true,
  timeoutMs: true,
  peerId: true,
});

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

/** Of a read of the feed. */
export const OF_READ = {
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
  ...OF_READ,
  beforeId: true,
  type: true,
  source: true,
  direction: true,
  conversationId: true,
});
