import { randomUUID } from 'node:crypto';
import { GetMessageQuery, OwnMessageQuery } from '@molecule-ai/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PlatformContext } from '../context.ts';
import { removedHolder, requireCaller, requireWorkspaceAccess } from '../http/access.ts';
import { ApiError } from '../http/api-error.ts';
import type { Caller } from '../http/identity.ts';
import { parseQuery, parseWorkspaceId, pathParam, workspaceParam } from '../http/parse.ts';
import { type ClientConnection, watchConnection } from '../waiting/client-connection.ts';
import { MAX_WAIT_SECONDS, parseWaitSeconds } from '../waiting/wait-seconds.rules.ts';
import { workspaceRemoved } from '../workspaces/workspace.lookup.ts';
import { namedTarget, normaliseMessage } from './accept/request-message.rules.ts';
import { MAX_HOLD_SECONDS } from './delivery.rules.ts';
import type { ToldOutcome } from './message-exchange.service.ts';
import type { MessagesService } from './messages.service.ts';
import { failureToError, underRequestId, wrapAnswer } from './outcome/outcome.rules.ts';

/** Calls to workspaces over HTTP (wire contract 3.19, 3.20). */
export function registerMessagesRoutes(
  app: FastifyInstance,
  context: PlatformContext,
  messages: MessagesService,
): void {
  const { settings } = context;

  /** An outcome as this caller gets it, and the report whether it did. */
  const tell = async ({ outcome, telling }: ToldOutcome, caller: Caller, connection: ClientConnection) => {
    if (telling !== undefined) {
      await connection.settle();
      connection.onAnswered((written) => telling.report(written));
    }
    if (outcome.state === 'failed') return { answer: null, error: outcome.error };
    const wraps = caller.kind === 'workspace' && settings.wrapPeerResults;
    return { answer: wraps ? wrapAnswer(outcome.answer) : outcome.answer, error: null };
  };

  const send = async (
    request: FastifyRequest,
    reply: FastifyReply,
    chooseTarget: (caller: Caller) => string,
  ) => {
    const removed = removedHolder(request);
    if (removed !== undefined) throw workspaceRemoved(removed.workspaceId, removed.removedAt);
    const caller = requireCaller(request);
    const asked = parseWaitSeconds(headerOf(request, 'x-timeout'), {
      field: 'X-Timeout',
      max: MAX_HOLD_SECONDS,
    });
    const message = normaliseMessage(request.body, randomUUID);
    const targetId = chooseTarget(caller);
    const callerId = caller.kind === 'workspace' ? caller.workspaceId : null;
    const connection = watchConnection(reply);
    const holdSeconds = asked ?? settings.answerHoldSeconds;
    const result = await messages.send({ callerId, targetId, message }, holdSeconds, connection);
    if (result.kind === 'reply') return result.body;
    if (result.kind === 'queued') return reply.code(202).send(result.body);
    const { answer, error } = await tell(result, caller, connection);
    if (answer === null) throw failureToError(error);
    return underRequestId(answer, message.view.envelope);
  };

  app.post('/workspaces/:id/a2a', (request, reply) => send(request, reply, () => workspaceParam(request)));

  app.post('/a2a', (request, reply) =>
    send(request, reply, (caller) => {
      const { target: query } = parseQuery(OwnMessageQuery, request.query);
      const named = namedTarget({
        header: headerOf(request, 'x-target-workspace-id'),
        query,
        body: request.body,
      });
      if (named !== undefined) return parseWorkspaceId(named, 'target');
      if (caller.kind === 'workspace') return caller.workspaceId;
      throw new ApiError(400, 'invalid_request', 'target is required', {
        extras: { field: 'target', hint: 'Name it in X-Target-Workspace-ID or ?target=.' },
      });
    }),
  );

  app.get('/workspaces/:id/messages/:messageId', async (request, reply) => {
    const workspaceId = workspaceParam(request);
    const caller = requireWorkspaceAccess(request, workspaceId);
    const { wait } = parseQuery(GetMessageQuery, request.query);
    const waitSeconds = parseWaitSeconds(wait, { field: 'wait', max: MAX_WAIT_SECONDS }) ?? 0;
    const messageId = pathParam(request, 'messageId');
    const reference = { workspaceId, messageId, byOperator: caller.kind === 'operator' };
    const connection = watchConnection(reply);
    const { view, told } = await messages.look(reference, waitSeconds, connection);
    return {
      ...view,
      ...(told === undefined ? NO_OUTCOME : await tell(told, caller, connection)),
    };
  });
}

const NO_OUTCOME = { answer: null, error: null };

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.at(-1) : value;
}
