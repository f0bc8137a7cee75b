import type { JsonValue } from '@molecule-ai/protocol';
import { clientPort } from '../client/client-port.ts';
import { handlerSignal } from '../client/current-message.ts';
import type { PeerClient } from '../client/peer-client.ts';
import { ApiError, WorkspaceRemovedError } from '../errors/api-error.ts';
import { ConnectionError, TimeoutError } from '../errors/connection-error.ts';
import type { MoleculeErrorCode } from '../errors/error-codes.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { isShownId } from '../peers/text-for-model.ts';
import { ownWords } from '../trust-boundary/fence.ts';
import { countedCall } from './call-identity.ts';
import {
  type ArgumentsOf,
  readArguments,
  schemaOf,
  type ToolCall,
  type ToolDefinition,
  type ToolOutcome,
} from './tool-definition.ts';
import type { FailureData } from './tool-shapes.ts';

export interface OutcomeContext {
  /** The names of the tools that the model has. */
  readonly offered: ReadonlySet<string>;
  /** The workspace of this agent. */
  readonly ownId: string;
  /** What the call is about. @default 'peer' */
  readonly subject?: 'peer' | 'task' | undefined;
}

export interface ReplyContext extends OutcomeContext {
  /** At most so many UTF-16 units of a peer's words. */
  readonly maxModelChars: number;
}

/** What all tools of one agent share. */
export interface ToolContext extends ReplyContext {
  readonly client: PeerClient;
  /** How long a tool waits for a peer, in milliseconds. */
  readonly timeoutMs: number;
}

const OTHER_WAY = 'Ask another peer, do it without, or tell the user.';
const OTHER_ID = 'Use an id that list_peers returns, or do it without.';
const TELL_USER = 'Do not repeat it: tell the user, or do it without.';
const LATER = 'Try again later, ask another peer, or do it without.';
const STOP = 'Stop: nobody waits for the result any more.';

/** What happened, and what to do next, in words for a model. None of them come from a response. */
const SENTENCES: Readonly<Partial<Record<MoleculeErrorCode, readonly [happened: string, next: string]>>> = {
  access_denied: ['You may not write to this workspace, or there is none with this id.', OTHER_WAY],
  agent_stopped: ['This agent is being stopped.', STOP],
  budget_exceeded: ['The workspace has spent its budget.', OTHER_WAY],
  client_closed: ['This agent is being stopped.', STOP],
  conflict: ['This message was sent before, and what became of it is not known here.', OTHER_WAY],
  connection_failed: ['The platform could not be reached, or the connection broke.', LATER],
  inbox_full: ['The peer has too many messages waiting.', LATER],
  loop_detected: [
    'This call would continue a circle of agents that ask each other.',
    'Do not repeat it: answer with what you know.',
  ],
  message_expired: ['The time for the message that you are handling is over.', STOP],
  not_found: ['The platform does not know this id.', OTHER_WAY],
  not_supported: ['The platform does not offer this.', TELL_USER],
  payload_too_large: ['The text is too large for the platform.', 'Send less.'],
  peer_changed: [
    'The peer is not what it was when it was first used, so calls to it wait until a person has checked it.',
    'Tell the user, or ask another peer.',
  ],
  platform_error: ['The platform failed.', LATER],
  platform_unavailable: ['The platform or the peer is not available at the moment.', LATER],
  quota_exceeded: ['This workspace has stored as much as it may.', TELL_USER],
  rate_limited: ['Too many requests were sent.', 'Do not repeat it at once.'],
  redirect_refused: ['The response did not come from the platform.', TELL_USER],
  request_rejected: [
    'The platform refused the request as invalid.',
    'Correct the arguments, or do it without.',
  ],
  response_too_large: ['The answer is larger than this agent reads.', 'Ask for a shorter answer.'],
  routing_problem: ['The response did not come from the platform.', TELL_USER],
  timed_out: ['There was no response in time.', LATER],
  unauthorized: ['The platform does not accept the credential of this agent.', TELL_USER],
  unexpected_response: ['The response is not one of the platform.', TELL_USER],
  workspace_paused: ['The workspace of this agent is paused.', TELL_USER],
};

const NO_TASK = [
  'You sent no message with this task id.',
  'Use a task_id as it was given to you, or "" for the latest ones.',
] as const;

/** The outcome of a call that threw. */
export function failureOf(error: MoleculeError, context: OutcomeContext): ToolOutcome<FailureData> {
  const { code, retryAfterMs = null } = error;
  const isInDoubt =
    (TimeoutError.isInstance(error) || ConnectionError.isInstance(error)) && error.delivered === 'unknown';
  const messageId = isInDoubt ? (error.messageId ?? null) : null;
  const sentences = [...sentencesFor(error, context)];
  if (retryAfterMs !== null) {
    sentences.push(`Wait at least ${Math.max(1, Math.ceil(retryAfterMs / 1_000))} s before a repeat.`);
  }
  if (messageId !== null) {
    const look = whereToLook(messageId, context, ' before you send it again');
    sentences.push(`The message may have arrived all the same${look}`);
  }
  return failed(sentences.join(' '), { code, messageId, retryAfterMs });
}

function failed(words: string, data: Omit<FailureData, 'status'>): ToolOutcome<FailureData> {
  return { forModel: ownWords(`Error: ${words}`), data: { status: 'error', ...data }, isError: true };
}

/** The end of a sentence that says by which call the end of a message is learned. */
export function whereToLook(taskId: string, { offered }: Pick<OutcomeContext, 'offered'>, when = ''): string {
  if (!isShownId(taskId)) return '.';
  return offered.has('check_task_status')
    ? `: call check_task_status with task_id "${taskId}"${when}.`
    : `; its task id is ${taskId}.`;
}

function sentencesFor(
  error: MoleculeError,
  { ownId, subject = 'peer', offered }: OutcomeContext,
): readonly [string, string] {
  const { code } = error;
  // Written by this package, about the arguments.
  if (code === 'invalid_argument') return [error.message, error.hint ?? 'Correct the arguments.'];
  if (WorkspaceRemovedError.isInstance(error)) {
    return error.workspaceId === ownId
      ? ['The workspace of this agent was removed.', STOP]
      : ['The peer was removed for good.', OTHER_WAY];
  }
  const given = SENTENCES[code] ?? [`The call failed (${code}).`, OTHER_WAY];
  if (code === 'rate_limited' && ApiError.isInstance(error) && error.details?.scope === 'pair') {
    return ['You and this peer have exchanged too many messages in the last minute.', given[1]];
  }
  const isNoId = ApiError.isInstance(error) && error.platformCode === 'invalid_workspace_id';
  if (code !== 'not_found' && code !== 'access_denied' && !isNoId) return given;
  if (subject === 'task') return NO_TASK;
  const happened = isNoId ? 'This is not the id of a workspace.' : given[0];
  return [happened, offered.has('list_peers') ? OTHER_ID : OTHER_WAY];
}

interface ToolParts<Name, Input, Data extends JsonValue>
  extends Pick<ToolDefinition<Name & string, Input, Data>, 'inputSchema' | 'parse'> {
  readonly name: Name;
  readonly description: string;
  /** What it throws is an outcome, except the reason of an abort. */
  run(input: Input, call: ToolCall): Promise<ToolOutcome<Data>>;
}

interface ToolOfArguments<Name, Input, Data extends JsonValue>
  extends Omit<ToolParts<Name, Input, Data>, 'inputSchema' | 'parse'> {
  readonly args: ArgumentsOf<Input>;
  /** Arguments that other tools have, and that change nothing here. */
  readonly ignored?: readonly string[];
}

export function defineTool<Name extends string, Input extends object, Data extends JsonValue>(
  context: ToolContext,
  { args, ignored = [], ...parts }: ToolOfArguments<Name, Input, Data>,
): ToolDefinition<Name, Input, Data | FailureData> {
  const parse = (raw: unknown) => readArguments<Input>(raw, args, ignored);
  return toolOf(context, { ...parts, inputSchema: schemaOf(args), parse });
}

export function toolOf<Name extends string, Input, Data extends JsonValue>(
  context: ToolContext,
  { name, description, inputSchema, parse, run }: ToolParts<Name, Input, Data>,
): ToolDefinition<Name, Input, Data | FailureData> {
  return {
    name,
    description,
    inputSchema,
    parse,
    async execute(raw, call = {}) {
      // The signal of the handler ends its tools as well, also where the framework does not pass it on.
      const ending = [call.signal, handlerSignal()];
      for (const each of ending) each?.throwIfAborted();
      try {
        const input = parse(raw);
        for (const earlier of call.earlierCalls ?? []) countEarlier(name, parse, earlier);
        return await run(input, countedCall(call, [name, input]));
      } catch (error) {
        for (const each of ending) each?.throwIfAborted();
        if (MoleculeError.isInstance(error)) return failureOf(error, context);
        clientPort(context.client).logger.error({ error }, 'A tool for peers failed.');
        // Its words may quote anything.
        const data = { code: 'handler_failed', messageId: null, retryAfterMs: null } as const;
        return failed(`The tool failed in this program. ${TELL_USER}`, data);
      }
    },
  };
}

/** Wrong arguments sent nothing. */
function countEarlier(
  name: string,
  parse: (raw: unknown) => unknown,
  { input, callerId }: { readonly input: unknown; readonly callerId: string },
): void {
  try {
    countedCall({ callerId }, [name, parse(input)]);
  } catch {}
}
