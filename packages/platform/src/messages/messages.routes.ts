import { randomUUID } from 'node:crypto';
import { type A2aResponse, type JsonObject, type QueuedResponse, routes } from '@molecule-ai/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PlatformContext } from '../context.ts';
import { workspaceRemoved } from '../directory/workspace-directory.ts';
import type { Caller, RemovedHolder } from '../http/callers.ts';
import { HttpError } from '../http/http-error.ts';
import {
  type JsonText,
  MAX_WAIT_SECONDS,
  mount,
  parseWaitSeconds,
  parseWorkspaceId,
  StatusResponse,
  type WRITTEN_BY_HANDLER,
} from '../http/mount.ts';
import { timestamp } from '../time/clock.ts';
import { ClientConnection } from '../waiting/client-connection.ts';
import { NO_SHARE, sendHeld } from '../waiting/response-memory.ts';
import {
  parseSentQuery,
  requireCanceled,
  type SentOutcome,
  taskIdOf,
  taskReference,
  wantsHistory,
  wantsTaskAtOnce,
} from './asked-messages.ts';
import { MAX_HOLD_SECONDS } from './delivery.rules.ts';
import type { MessagesService } from './messages.service.ts';
import { outcomeError } from './outcome.ts';
import { type CallerForm, errorInForm, namedTarget, passedHeaders, readCall } from './request.ts';
import {
  failureToError,
  isAgentError,
  type ResponseForm,
  toOpenTask,
  toReplyTask,
  toResponse,
  toTaskResponse,
  wantsCompact,
  withRequestId,
} from './response.ts';
import { respondWithStream } from './streams/stream-response.ts';

/** Messages over HTTP: sent, looked up, acknowledged. */
export function mountMessagesRoutes(
  app: FastifyInstance,
  context: PlatformContext,
  messages: MessagesService,
): void {
  const { clock, settings } = context;

  /** `version` is that of A2A which the request names. */
  const formOf = (
    caller: Caller,
    { headers }: FastifyRequest,
    version: string | undefined,
    spoken: CallerForm = 'plain',
  ): ResponseForm => ({
    wraps: caller.kind === 'workspace' && settings.security.wrapPeerResults,
    isCompact: version !== undefined || spoken === '1.0' || wantsCompact(headerOf(headers, 'prefer')),
    caller: spoken,
  });

  /**
   * A response with an answer, whose memory is in use until the client has it. Whether the client received an outcome is reported to its
   * sender.
   */
  const respondHeld = async <Body extends object>(
    reply: FastifyReply,
    connection: ClientConnection,
    { receipt, share }: Pick<SentOutcome, 'receipt' | 'share'>,
    makeBody: () => Body,
  ): Promise<Body | JsonText> => {
    if (receipt !== undefined) {
      await connection.processPendingEvents();
      connection.onResponseSent((written) => receipt.report(written));
    }
    try {
      const body = makeBody();
      if (share === NO_SHARE) return body;
      const text = JSON.stringify(body);
      share.shrink(Buffer.byteLength(text));
      return sendHeld(clock, reply, connection, { text, release: share.release });
    } catch (error) {
      share.release();
      throw error;
    }
  };

  const send = async (
    { body, caller, request, reply }: IncomingCall,
    targetId: string,
  ): Promise<A2aResponse | JsonText | StatusResponse<202, QueuedResponse> | typeof WRITTEN_BY_HANDLER> => {
    const { headers } = request;
    const { version, form: spoken, use, message, requestId } = readCall(body, headers, randomUUID);
    const form = formOf(caller, request, version, spoken);
    const isPlain = spoken === 'plain';
    const { view } = message;
    const callerId = caller.kind === 'workspace' ? caller.workspaceId : null;
    // Each response is the agent's own JSON, or one of the platform in the same form.
    const respond = (response: JsonObject) => withRequestId(response, requestId) as JsonObject as A2aResponse;
    const stream = { reply, view, form, requestId };
    if (use === 'stream') {
      const result = await messages.streams.send({ callerId, targetId, message, namesHold: true });
      return respondWithStream(context, stream, result);
    }
    if (use !== 'deliver') {
      const task = { callerId, workspaceId: targetId, reference: taskReference(view) };
      if (use === 'resubscribe')
        return respondWithStream(context, stream, await messages.streams.resume(task));
      if (use === 'get') {
        const detail = { hasAnswer: true, hasHistory: wantsHistory(view) };
        const found = await messages.asked.findTask(task);
        const held = { share: found.share, receipt: undefined };
        return respondHeld(reply, new ClientConnection(reply), held, () =>
          respond(toTaskResponse(found, form, detail)),
        );
      }
      const canceled = await messages.asked.cancel(task);
      if (version !== undefined || form.caller === '1.0') requireCanceled(canceled);
      const found = { id: taskIdOf(canceled, task.reference), message: canceled };
      return respond(toTaskResponse(found, form, { hasAnswer: false, hasHistory: false }));
    }
    const bounds = { field: 'X-Timeout', max: MAX_HOLD_SECONDS };
    const isAtOnce = !isPlain && wantsTaskAtOnce(view);
    const named = parseWaitSeconds(headerOf(headers, 'x-timeout'), bounds);
    const holdSeconds = named ?? (isAtOnce ? 0 : settings.limits.answerHoldSeconds);
    const connection = new ClientConnection(reply);
    const incoming = { callerId, targetId, message, namesHold: named !== undefined || !isPlain };
    const result = await messages.send(incoming, holdSeconds, connection);
    if (result.kind === 'reply') {
      return isPlain ? result.body : respond(toReplyTask(result.body, timestamp(clock), view, form));
    }
    if (result.kind === 'queued') {
      return isPlain ? new StatusResponse(202, result.body) : respond(toOpenTask(result.message, form));
    }
    const { outcome } = result;
    return respondHeld(reply, connection, result, () => {
      if (outcome.state === 'failed' && outcome.failure.kind === 'delivery' && !isAgentError(outcome, form)) {
        throw failureToError(outcome.failure.error);
      }
      return respond(toResponse(result.message, outcome, form));
    });
  };

  const options = {
    // Parsed with the headers of the request.
    body: (json: unknown) => json,
    errorBody: errorInForm,
    removedError: ({ workspaceId, removedAt }: RemovedHolder) => workspaceRemoved(workspaceId, removedAt),
  };

  mount(app, routes.sendMessage, options, (incoming) => send(incoming, incoming.params.id));

  mount(app, routes.sendOwnMessage, options, (incoming) => {
    const { caller, query, request } = incoming;
    const header = headerOf(request.headers, 'x-target-workspace-id');
    const named = namedTarget({ header, query: query.target, body: request.body });
    if (named !== undefined) return send(incoming, parseWorkspaceId(named, 'target'));
    if (caller.kind === 'workspace') return send(incoming, caller.workspaceId);
    throw new HttpError(400, 'invalid_request', 'target is required', {
      field: 'target',
      hint: 'Name it in X-Target-Workspace-ID or ?target=.',
    });
  });

  mount(app, routes.getMessage, async ({ params, query, caller, request, reply }) => {
    const waitSeconds = parseWaitSeconds(query.wait, { field: 'wait', max: MAX_WAIT_SECONDS }) ?? 0;
    const byOperator = caller.kind === 'operator';
    const reference = { workspaceId: params.id, messageId: params.messageId, byOperator };
    const connection = new ClientConnection(reply);
    const { record, sent } = await messages.asked.getStatus(reference, waitSeconds, connection);
    if (sent === undefined) return { ...record, answer: null, error: null };
    const { message, outcome } = sent;
    // The route is the platform's own, so its errors and tasks have one form.
    const form = formOf(caller, request, passedHeaders(request.headers)['a2a-version']);
    const error = outcome.state === 'failed' ? (outcomeError(outcome, form.wraps) ?? null) : null;
    return respondHeld(reply, connection, sent, () => ({
      ...record,
      answer: toResponse(message, outcome, form),
      error,
    }));
  });

  mount(app, routes.listMessages, { query: parseSentQuery }, async ({ params, query }) => {
    const { messages: list, hasMore } = await messages.asked.listSent(params.id, query);
    return { messages: list, has_more: hasMore };
  });

  mount(app, routes.reportProgress, ({ params, body }) =>
    messages.progress.report(params.id, params.activityId, body),
  );

  mount(app, routes.acknowledgeActivity, ({ params, body }) => messages.acknowledge(params.id, body));
}

interface IncomingCall {
  readonly body: unknown;
  readonly caller: Caller;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

function headerOf(headers: FastifyRequest['headers'], name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.at(-1) : value;
}
