/** Names of the options of more than one method. */

export const CALL = { signal: true } as const;

export const GET_WORKSPACE = { signal: true, includeRemoved: true } as const;

export const WAIT_FOR_ANSWER = { signal: true, timeoutMs: true, peerId: true } as const;

export const SEND_MESSAGE = {
  signal: true,
  messageId: true,
  contextId: true,
  timeoutMs: true,
  metadata: true,
  answers: true,
} as const;

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

export const LIST_ACTIVITY = {
  ...OF_READ,
  beforeId: true,
  type: true,
  source: true,
  direction: true,
  conversationId: true,
} as const;

export const LIST_TOKENS = { signal: true, limit: true, offset: true } as const;
