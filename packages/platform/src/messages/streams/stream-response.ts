import { isJsonObject, type JsonObject, type MessageView, sseEvent } from '@molecule-ai/protocol';
import type { FastifyReply } from 'fastify';
import type { PlatformContext } from '../../context.ts';
import { WRITTEN_BY_HANDLER } from '../../http/mount.ts';
import { openStreams } from '../../telemetry/telemetry.ts';
import { timestamp } from '../../time/clock.ts';
import { EventResponse } from '../../waiting/event-response.ts';
import type { ResponseForm } from '../outcome/response.rules.ts';
import { toReplyTask, toTaskResponse } from '../outcome/task-response.rules.ts';
import type { StreamResult } from './message-streams.ts';
import { StreamWriter } from './stream-writer.ts';

export interface StreamRequest {
  readonly reply: FastifyReply;
  readonly view: MessageView;
  readonly form: ResponseForm;
  /** The JSON-RPC id of the request. */
  readonly requestId: string | number | null;
}

/** Writes the stream as the response to a request, in the background. */
export function respondWithStream(
  { clock, logger, shutdown }: Pick<PlatformContext, 'clock' | 'logger' | 'shutdown'>,
  { reply, view, form, requestId }: StreamRequest,
  result: StreamResult,
): typeof WRITTEN_BY_HANDLER {
  const { place } = result;
  const response = new EventResponse(reply, { clock, shutdown });
  const write = async () => {
    if (result.kind === 'stream') {
      return new StreamWriter({ clock, opened: result.opened, form, requestId, response }).run();
    }
    const { result: task } =
      result.kind === 'task'
        ? toTaskResponse(result.found, form, { hasAnswer: true, hasHistory: false })
        : toReplyTask(result.body, timestamp(clock), view, form);
    for (const event of eventsOfTask(isJsonObject(task) ? task : {}, form)) {
      await response.send(sseEvent({ jsonrpc: '2.0', id: requestId, result: event }));
    }
    response.end();
  };
  const messageId = result.kind === 'stream' ? result.opened.message.id : undefined;
  const count = result.kind === 'stream' ? 1 : 0;
  openStreams(count);
  void write()
    .catch((error: unknown) => {
      const fields = { requestId: reply.request.id, messageId, reason: String(error) };
      logger.error(fields, 'A stream failed');
      response.abort();
    })
    .then(() => response.closed)
    .finally(() => {
      openStreams(-count);
      place.release();
    });
  return WRITTEN_BY_HANDLER;
}

/** A task that goes on no more, and its last status. */
function eventsOfTask(given: JsonObject, { caller }: ResponseForm): JsonObject[] {
  const task = isJsonObject(given.task) ? given.task : given;
  const { id: taskId = '', contextId = '', status = {}, metadata = {} } = task;
  const last = { taskId, contextId, status, metadata };
  if (caller === '1.0') return [{ task }, { statusUpdate: last }];
  return [task, { kind: 'status-update', ...last, final: true }];
}
