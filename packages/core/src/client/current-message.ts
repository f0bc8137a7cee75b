import { AsyncLocalStorage } from 'node:async_hooks';
import type { InboundMessage, InboundSource, JsonObject, JsonValue } from '@molecule-ai/protocol';
import { readTraceContext, type TraceContext } from '@molecule-ai/telemetry';
import { MoleculeError } from '../errors/molecule-error.ts';
import { deriveUuid } from '../platform-api/idempotency-key.ts';
import { processState } from '../storage/process-state.ts';
import type { Clock } from '../time/clock.ts';
import { type LinkedAbort, linkAbort } from '../time/linked-abort.ts';

/** The message that a handler handles. Plain data, frozen. */
export interface CurrentMessage {
  /** The workspace whose agent handles it; lower case. */
  readonly workspaceId: string;
  /** The id of its row. */
  readonly activityId: string;
  /** The sender's id of it. */
  readonly messageId: string;
  readonly contextId: string;
  readonly conversationId: string;
  readonly source: InboundSource;
  /** The sending workspace; `''` for a person. */
  readonly sourceId: string;
  /** Names everything that follows from one first message: what its sender gave, else derived from its id. */
  readonly traceId: string;
  /** W3C Trace Context of the request that brought the message to the platform or to this agent; `''` for none. */
  readonly traceparent: string;
  readonly tracestate: string;
  /** RFC 3339; `null` when the sender named none. */
  readonly deadline: string | null;
  /** Starts at 1; continues across restarts. */
  readonly attempt: number;
  /** The message that it answers; `''` for a new message. */
  readonly inReplyTo: string;
  /** Messages between workspaces that led to it, itself included, as far as its sender named them; 0 for one of a person. */
  readonly hops: number;
  /** The messages before it, each as sender and receiver, the latest last, as far as its sender named them. */
  readonly path: readonly PathEdge[];
}

/** One run of a handler. Copies of this package in one process share it, so only add to it. */
interface Handling {
  readonly message: CurrentMessage;
  readonly signal: AbortSignal;
  isOver: boolean;
}

/** One for the process: an application may load this package both as ES module and as CommonJS. */
const handlings = processState('handlings', () => new AsyncLocalStorage<Handling>());

/**
 * The message that the calling code handles; `undefined` outside handlers. It is there in everything that a handler
 * calls, tools of a framework included, and stays there in work that a handler left running when it returned.
 */
export function currentMessage(): CurrentMessage | undefined {
  return handlings.getStore()?.message;
}

/** Runs a handler, in which {@link currentMessage} is this message. */
export async function runHandling<T>(
  message: CurrentMessage,
  signal: AbortSignal,
  handler: () => Promise<T>,
): Promise<T> {
  const handling: Handling = { message, signal, isOver: false };
  try {
    return await handlings.run(handling, handler);
  } finally {
    handling.isOver = true;
  }
}

export function toCurrentMessage(
  message: InboundMessage,
  { workspaceId, attempt }: Pick<CurrentMessage, 'workspaceId' | 'attempt'>,
): CurrentMessage {
  const { messageId, contextId, conversationId, source, inReplyTo, metadata, raw } = message;
  const sourceId = source === 'canvas_user' ? '' : message.sourceId;
  const given = [metadata.trace_id, raw.trace_id].find((text) => typeof text === 'string' && text !== '');
  const deadlineMs = deadlineOf(metadata);
  const trace = traceOfMessage(message);
  return Object.freeze({
    workspaceId,
    activityId: message.id,
    messageId,
    contextId,
    conversationId,
    source,
    sourceId,
    // Not a getter, which would be a hidden class of its own for each message.
    traceId: typeof given === 'string' ? given : deriveUuid('trace', messageId || message.id),
    traceparent: trace?.traceparent ?? '',
    tracestate: trace?.tracestate ?? '',
    deadline: deadlineMs === null ? null : new Date(deadlineMs).toISOString(),
    attempt,
    inReplyTo,
    ...pathOfMessage(source === 'canvas_user' ? null : [sourceId, workspaceId], metadata),
  });
}

/** The trace that a message belongs to: its row names it, or the request that brought it did. `null` for none. */
export function traceOfMessage({ raw }: Pick<InboundMessage, 'raw'>): TraceContext | null {
  return readTraceContext(raw.traceparent, raw.tracestate);
}

/** When the sender of a message no longer waits, as Unix time in milliseconds; `null` for no limit. */
export function deadlineOf({ deadline }: JsonObject): number | null {
  const time = typeof deadline === 'string' ? Date.parse(deadline) : Number.NaN;
  return Number.isNaN(time) ? null : time;
}

export function deadlinePassed(): MoleculeError {
  return new MoleculeError('The deadline of the message that is handled has passed.', {
    code: 'message_expired',
    hint: 'Its sender no longer waits: stop the work.',
  });
}

/**
 * The metadata of a message that this workspace sends now: in a handler with parent, trace and deadline, and the path of a message to
 * a peer.
 * @param questionOf the path of a message that was sent, by its id: what is sent because of its answer continues there
 */
export function withOrigin(
  workspaceId: string,
  metadata: JsonObject | undefined,
  questionOf?: (messageId: string) => MessagePath | undefined,
): JsonObject | undefined {
  const handling = handlings.getStore();
  if (handling === undefined) return metadata;
  const { message, isOver } = handling;
  const isParent = message.messageId !== '' && message.workspaceId === workspaceId;
  const own = deadlineOf({ deadline: metadata?.deadline ?? null });
  const isSooner = message.deadline !== null && (own === null || Date.parse(message.deadline) < own);
  return {
    ...(isParent ? { parent_message_id: message.messageId, parent_activity_id: message.activityId } : {}),
    trace_id: message.traceId,
    ...metadata,
    ...(isParent && questionOf !== undefined ? pathOfNext(message, questionOf) : {}),
    ...(isSooner && !isOver ? { deadline: message.deadline } : {}),
  };
}

/** Nothing where the platform alone knows it: after the late answer to a message that went through it. */
function pathOfNext(
  message: CurrentMessage,
  questionOf: (messageId: string) => MessagePath | undefined,
): JsonObject {
  const { inReplyTo, sourceId, workspaceId, hops, path } = message;
  const own: readonly PathEdge[] = sourceId === '' ? [] : [[sourceId.toLowerCase(), workspaceId]];
  const after = { hops: hops + 1, path: [...path, ...own].slice(-MAX_EDGES) };
  const next = inReplyTo === '' ? after : questionOf(inReplyTo);
  return next === undefined ? {} : { hops: next.hops, path: next.path.map((edge) => [...edge]) };
}

/** The signal of the running handler, if the caller runs in one. */
export function handlerSignal(): AbortSignal | undefined {
  const handling = handlings.getStore();
  return handling?.isOver === false ? handling.signal : undefined;
}

/** What limits a call to another agent. */
export interface CallLimits {
  readonly signal: AbortSignal | undefined;
  /** In milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Runs a call with its own limits and, in a handler, those of the handling: its signal, and the deadline of its message.
 * @throws MoleculeError `message_expired` when the deadline has passed.
 */
export function withinHandling<T>(
  limits: CallLimits,
  clock: Clock,
  call: (limits: CallLimits) => Promise<T>,
): Promise<T> {
  if (handlerSignal() === undefined) return call(limits);
  const { link, timeoutMs } = linkHandling(limits, clock);
  const { signal } = link;
  const called = signal.aborted ? Promise.reject<T>(signal.reason) : call({ signal, timeoutMs });
  return called.finally(() => link.unlink());
}

/**
 * The limits of {@link withinHandling}, for a call that outlives the function that makes it and ends with `others` as well. When the deadline has passed, the
 * signal is aborted with `message_expired`.
 */
export function linkHandling(
  { signal, timeoutMs }: CallLimits,
  clock: Clock,
  ...others: readonly AbortSignal[]
): { readonly link: LinkedAbort; readonly timeoutMs: number } {
  const handling = handlings.getStore();
  const isRunning = handling?.isOver === false;
  const link = linkAbort(isRunning ? handling.signal : undefined, signal, ...others);
  const deadline = isRunning ? handling.message.deadline : null;
  const leftMs = deadline === null ? Number.POSITIVE_INFINITY : Date.parse(deadline) - clock.now();
  if (leftMs <= 0 && !link.signal.aborted) link.abort(deadlinePassed());
  return { link, timeoutMs: Math.min(timeoutMs, leftMs) };
}

/** A message from one workspace to another: sender and receiver. */
export type PathEdge = readonly [sender: string, receiver: string];

/** What led to a message, as far as it is known here. */
export interface MessagePath {
  /** Messages between workspaces up to this one, which counts; those of people do not. */
  readonly hops: number;
  /** The messages before this one, the latest last. */
  readonly path: readonly PathEdge[];
}

const MAX_EDGES = 50;
const MAX_ID_LENGTH = 64;

/**
 * What the metadata of a message says of its path; that of a person says nothing.
 * @param own the message itself, which may be the last of its path; `null` for one of a person
 */
export function pathOfMessage(own: PathEdge | null, { hops, path: claimed }: JsonObject): MessagePath {
  if (own === null) return { hops: 0, path: [] };
  const edges = Array.isArray(claimed) ? claimed.slice(-MAX_EDGES).filter(isEdge) : [];
  const path = String(edges.at(-1)).toLowerCase() === String(own).toLowerCase() ? edges.slice(0, -1) : edges;
  const named = typeof hops === 'number' && Number.isSafeInteger(hops) ? hops : 0;
  return { hops: Math.max(1, path.length + 1, named), path };
}

function isEdge(value: JsonValue): value is [string, string] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  return value.every((id) => typeof id === 'string' && id.length <= MAX_ID_LENGTH);
}
