import { randomUUID } from 'node:crypto';
import { type A2aResponse, type JsonObject, type QueuedResponse, routes } from '@molecule-ai/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PlatformContext } from '../context.ts';
import { workspaceRemoved } from '../directory/workspace-directory.ts';
import { HttpError } from '../http/http-error.ts';
import { mount, StatusResponse } from '../http/mount.ts';
import { parseWorkspaceId } from '../http/parse.ts';
import type { Caller, RemovedHolder } from '../http/principal.ts';
import { type ClientConnection, watchConnection } from '../waiting/client-connection.ts';
import { MAX_WAIT_SECONDS, parseWaitSeconds } from '../waiting/wait-seconds.rules.ts';
import { type NormalMessage, namedTarget, normaliseMessage } from './accept/request-message.rules.ts';
import { canceledReference } from './cancellation.ts';
import { MAX_HOLD_SECONDS } from './delivery.rules.ts';
import type { MessagesService, SentOutcome } from './messages.service.ts';
import { failureToError, outcomeError, storedOutcome } from './outcome/outcome.rules.ts';
import { type ResponseForm, toResponse, wantsCompact, withRequestId } from './outcome/response.rules.ts';
import { passedHeaders } from './passed-headers.rules.ts';
import { parseSentQuery } from './sent-query.rules.ts';

/** Messages over HTTP: sent, looked up, acknowledged. */
export function mountMessagesRoutes(
  app: FastifyInstance,
  context: PlatformContext,
  messages: MessagesService,
): void {
  const { settings } = context;

  const formFor = (caller: Caller, request: FastifyRequest): ResponseForm => ({
    wraps: caller.kind === 'workspace' && settings.wrapPeerResults,
    isCompact: wantsCompact(headerOf(request, 'prefer'), headerOf(request, 'a2a-version')),
  });

  /** Reports whether the client of this connection received an outcome. */
  const reportReceipt = async ({ receipt }: SentOutcome, connection: ClientConnection) => {
    if (receipt === undefined) return;
    await connection.processPendingEvents();
    connection.onResponseSent((written) => receipt.report(written));
  };

  const send = async (
    { body, caller, request, reply }: IncomingCall,
    targetId: string,
  ): Promise<A2aResponse | StatusResponse<202, QueuedResponse>> => {
    const message = normaliseMessage(body, passedHeaders(request.headers), randomUUID);
    const reference = canceledReference(message);
    if (reference !== undefined)
      return cancel(message, targetId, reference, formFor(caller, request), caller);
    const bounds = { field: 'X-Timeout', max: MAX_HOLD_SECONDS };
    const holdSeconds =
      parseWaitSeconds(headerOf(request, 'x-timeout'), bounds) ?? settings.answerHoldSeconds;
    const callerId = caller.kind === 'workspace' ? caller.workspaceId : null;
    const connection = watchConnection(reply);
    const result = await messages.send({ callerId, targetId, message }, holdSeconds, connection);
    if (result.kind === 'reply') return result.body;
    if (result.kind === 'queued') return new StatusResponse(202, result.body);
    await reportReceipt(result, connection);
    const { outcome } = result;
    if (outcome.state === 'failed' && outcome.failure.kind === 'delivery') {
      throw failureToError(outcome.failure.error);
    }
    const response = toResponse(result.message, outcome, formFor(caller, request));
    // An answer is the agent's own JSON, passed on as it is.
    return withRequestId(response, message.view.envelope) as JsonObject as A2aResponse;
  };

  /** `tasks/cancel` is handled from the state of the message and never stored as one. */
  const cancel = async (
    { view }: NormalMessage,
    workspaceId: string,
    reference: string,
    form: ResponseForm,
    caller: Caller,
  ): Promise<A2aResponse> => {
    const callerId = caller.kind === 'workspace' ? caller.workspaceId : null;
    const message = await messages.cancellation.cancel({ callerId, workspaceId, reference });
    const outcome = storedOutcome(message);
    if (outcome === undefined) throw new Error(`Message ${message.id} was canceled and has no end.`);
    const task = toResponse(message, outcome, form, true);
    return withRequestId(task, view.envelope) as JsonObject as A2aResponse;
  };

  const options = {
    // Parsed with the headers of the request.
    body: (json: unknown) => json,
    removedError: ({ workspaceId, removedAt }: RemovedHolder) => workspaceRemoved(workspaceId, removedAt),
  };

  mount(app, routes.sendMessage, options, (incoming) => send(incoming, incoming.params.id));

  mount(app, routes.sendOwnMessage, options, (incoming) => {
    const { caller, query, request } = incoming;
    const header = headerOf(request, 'x-target-workspace-id');
    const named = namedTarget({ header, query: query.target, body: request.body });
    if (named !== undefined) return send(incoming, parseWorkspaceId(named, 'target'));
    if (caller.kind === 'workspace') return send(incoming, caller.workspaceId);
    throw new HttpError(400, 'invalid_request', 'target is required', {
      extras: { field: 'target', hint: 'Name it in X-Target-Workspace-ID or ?target=.' },
    });
  });

  mount(app, routes.getMessage, async ({ params, query, caller, request, reply }) => {
    const waitSeconds = parseWaitSeconds(query.wait, { field: 'wait', max: MAX_WAIT_SECONDS }) ?? 0;
    const byOperator = caller.kind === 'operator';
    const reference = { workspaceId: params.id, messageId: params.messageId, byOperator };
    const connection = watchConnection(reply);
    const { record, sent } = await messages.getStatus(reference, waitSeconds, connection);
    if (sent === undefined) return { ...record, answer: null, error: null };
    await reportReceipt(sent, connection);
    const { message, outcome } = sent;
    const form = formFor(caller, request);
    const error = outcome.state === 'failed' ? (outcomeError(outcome, form.wraps) ?? null) : null;
    return { ...record, answer: toResponse(message, outcome, form), error };
  });

  mount(app, routes.listMessages, { query: parseSentQuery }, async ({ params, query }) => {
    const { messages: list, hasMore } = await messages.listSent(params.id, query);
    return { messages: list, has_more: hasMore };
  });

  mount(app, routes.acknowledgeActivity, ({ params, body }) => messages.acknowledge(params.id, body));
}

interface IncomingCall {
  readonly body: unknown;
  readonly caller: Caller;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.at(-1) : value;
}
