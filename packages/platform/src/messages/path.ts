import type { JsonObject, JsonValue } from '@molecule-ai/protocol';
import type { ActivityRowRecord } from '../database/schema.ts';
import { HttpError } from '../http/http-error.ts';

/** A message from one workspace to another: caller and target. */
export type Edge = readonly [caller: string, target: string];

/** What led to a message. */
export interface MessagePath {
  /** Messages between workspaces up to this one, which counts; an answer and a message of a person do not. */
  readonly hops: number;
  /** The messages before this one, the latest last. */
  readonly edges: readonly Edge[];
  /** Late answers that were handled on the way. */
  readonly turns: number;
  /** The row id of the message that the path starts with; null for that message itself. */
  readonly origin: string | null;
}

/** The columns of a row that hold its path, and those that identify it. */
export const PATH_COLUMNS = [
  'id',
  'hops',
  'path',
  'turns',
  'path_origin',
  'source_id',
  'target_id',
  'answers_id',
  'delivery_state',
] as const;
export type PathRow = Pick<ActivityRowRecord, Exclude<(typeof PATH_COLUMNS)[number], 'target_id'>> & {
  readonly target_id: string;
};

interface PathLimits {
  readonly maxHops: number;
  readonly maxTurns: number;
}

/** How often one workspace may write to another on one path. */
const MAX_SAME_EDGE = 2;

/** The path of a message that nothing led to, such as a person's. */
export const NEW_PATH: MessagePath = Object.freeze({ hops: 0, edges: [], turns: 0, origin: null });

export function pathOf({ hops, path, turns, path_origin: origin }: PathRow): MessagePath {
  return { hops, edges: path === null ? [] : (JSON.parse(path) as Edge[]), turns, origin };
}

/** The columns in which a path is stored. */
export function pathColumns({
  hops,
  edges,
  turns,
  origin,
}: MessagePath): Pick<ActivityRowRecord, 'hops' | 'path' | 'turns' | 'path_origin'> {
  return { hops, path: edges.length === 0 ? null : JSON.stringify(edges), turns, path_origin: origin };
}

/**
 * The path of a message that a workspace sends.
 *
 * @param parent the message in whose handling it is sent
 * @param metadata what the sender says of `hops` and `path`, which can only make the path longer
 */
export function pathOfMessage(own: Edge, parent: PathRow | undefined, metadata: JsonObject): MessagePath {
  const before = parent === undefined ? NEW_PATH : pathOf(parent);
  const derived =
    parent === undefined || parent.source_id === null || isAnswer(parent)
      ? before.edges
      : [...before.edges, [parent.source_id, parent.target_id] as const];
  const edges = withClaimed(derived, claimedEdges(metadata.path), own);
  const hops = Math.max(before.hops + 1, edges.length + 1, claimedHops(metadata.hops));
  return { hops, edges, turns: before.turns, origin: parent === undefined ? null : originOf(parent) };
}

/**
 * The path of the answer of a message. Who gets it continues with what it did when it sent the message, one turn later.
 * The answer of an answer stays on its path.
 */
export function pathOfAnswer(question: PathRow): MessagePath {
  const { hops, edges, turns } = pathOf(question);
  return {
    hops: isAnswer(question) ? hops : Math.max(0, hops - 1),
    edges,
    turns: turns + 1,
    origin: originOf(question),
  };
}

/**
 * The path of a message with the answers to the questions of another one: one turn later than that, as after an answer.
 *
 * @param own the path of the message without that; the longer one counts
 */
export function pathOfContinuation(interrupted: PathRow, own?: MessagePath): MessagePath {
  const before = pathOf(interrupted);
  const turns = before.turns + 1;
  const origin = own?.origin ?? originOf(interrupted);
  return own === undefined
    ? { ...before, turns, origin }
    : { ...own, turns: Math.max(own.turns, turns), origin };
}

/** The error of a message that continues a loop; undefined when it does not. */
export function loopRefusal(own: Edge, path: MessagePath, limits: PathLimits): HttpError | undefined {
  const { hops, edges } = path;
  if (edges.filter((edge) => isSame(edge, own)).length >= MAX_SAME_EDGE) {
    const text = `Not sent, because it would continue a loop: on the way to this message you have already written to this agent ${MAX_SAME_EDGE} times, each time because of the message before.`;
    return loopDetected(text, 'repeated');
  }
  if (hops > limits.maxHops) {
    const text = `Not sent, because it would continue a loop: ${hops - 1} messages between agents, each sent because of the one before, have led to this one, and no more are allowed.`;
    return loopDetected(text, 'hops');
  }
  return turnsRefusal(path, limits);
}

/** The error of an answer to an answer after too many of them. */
export function turnsRefusal({ turns }: MessagePath, { maxTurns }: PathLimits): HttpError | undefined {
  return turns > maxTurns ? tooManyTurns(maxTurns) : undefined;
}

/** The error when too many messages of all branches of a path were sent because of late answers. */
export function tooManyTurns(maxTurns: number): HttpError {
  const text = `Not sent, because it would continue a loop: ${maxTurns} messages were already sent because of answers that came late, all of them following from one first message.`;
  return loopDetected(text, 'turns');
}

/** Whether agents, by the rate of their messages, may be in a loop that no path shows. */
export function pairLimited(limit: number, retryAfterMs: number): HttpError {
  const seconds = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  const text = `rate limit exceeded: you and this workspace sent each other more than ${limit} messages in a minute`;
  return new HttpError(429, 'rate_limited', text, {
    scope: 'pair',
    retry_after: seconds,
    hint: 'Name the message that you are handling in metadata.parent_message_id; messages that do are not counted here.',
  });
}

function loopDetected(text: string, reason: 'repeated' | 'hops' | 'turns'): HttpError {
  return new HttpError(409, 'loop_detected', text, {
    reason,
    hint: 'Do not send it again, in these or other words. Finish with what you have: answer the message that you are handling, and say what is missing.',
  });
}

function originOf({ id, path_origin: origin }: PathRow): string {
  return origin ?? id;
}

/** An answer does not lengthen a path. */
function isAnswer({ answers_id: answers }: PathRow): boolean {
  return answers !== null;
}

/** The edges and, of those that the sender claims, the ones that are not among them. */
function withClaimed(derived: readonly Edge[], claimed: readonly Edge[], own: Edge): readonly Edge[] {
  const last = claimed.at(-1);
  const before = last !== undefined && isSame(last, own) ? claimed.slice(0, -1) : claimed;
  const unmatched = [...derived];
  const more = before.filter((edge) => {
    const at = unmatched.findIndex((other) => isSame(other, edge));
    if (at >= 0) unmatched.splice(at, 1);
    return at < 0;
  });
  return more.length === 0 ? derived : [...derived, ...more];
}

const MAX_CLAIMED = 200;
/** The length of a workspace id. */
const MAX_ID_LENGTH = 36;

function claimedEdges(path: JsonValue | undefined): readonly Edge[] {
  if (!Array.isArray(path)) return [];
  return path.slice(-MAX_CLAIMED).flatMap((edge) => {
    if (!Array.isArray(edge) || edge.length !== 2) return [];
    const [caller, target] = edge;
    return isId(caller) && isId(target) ? [[caller.toLowerCase(), target.toLowerCase()] as const] : [];
  });
}

function isId(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value.length <= MAX_ID_LENGTH;
}

function claimedHops(hops: JsonValue | undefined): number {
  return typeof hops === 'number' && Number.isSafeInteger(hops) ? hops : 0;
}

function isSame(one: Edge, other: Edge): boolean {
  return one[0] === other[0] && one[1] === other[1];
}
