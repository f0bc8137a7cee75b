import { BODY_LIMITS, isEnded, type ProgressRequest, type ProgressResponse } from '@molecule-ai/protocol';
import { HttpError } from '../../http/http-error.ts';
import { messageExpired, messageStateOf } from '../outcome.ts';
import type { MessageParts } from '../transitions.ts';
import type { AnswerStream } from './answer-streams.ts';

/** When an agent may report again while there is no memory, in seconds. */
const RETRY_AFTER = 5;

/** The run of a handler that reports. */
interface Run {
  readonly id: string;
  readonly workspaceId: string;
  isFinal: boolean;
}

/** The text of answers as polling agents report it while they make them. It is for readers only, and is not stored. */
export class Progress {
  readonly #options: MessageParts;
  readonly #runs = new WeakMap<AnswerStream, Run>();

  constructor(options: MessageParts) {
    this.#options = options;
  }

  /**
   * Adds to the text of a message of this workspace's feed. @throws HttpError 404 `activity_not_found`, 409 `message_ended`,
   * 410 `message_expired`, 409 `progress_conflict` with `expected_offset`, 413 `agent_answer_too_large`, 503
   * `platform_unavailable` when there is no memory.
   */
  async report(workspaceId: string, activityId: string, report: ProgressRequest): Promise<ProgressResponse> {
    const id = activityId.toLowerCase();
    const stream = this.#options.streams.open(id);
    // So that it is not removed meanwhile.
    const place = stream.read();
    try {
      if (this.#runs.get(stream)?.workspaceId !== workspaceId) {
        await this.#requireOpen(workspaceId, id);
        if (stream.ended.aborted) return await this.report(workspaceId, id, report);
      }
      return this.#add(stream, workspaceId, report);
    } finally {
      place.leave();
    }
  }

  #add(stream: AnswerStream, workspaceId: string, report: ProgressRequest): ProgressResponse {
    const { run_id: runId, offset, text, final } = report;
    const known = this.#runs.get(stream);
    if (stream.hasSource || (known !== undefined && known.id !== runId)) {
      throw conflict(null, 'Another run makes this answer; stop reporting.');
    }
    // Of an attempt to push the message, before its agent began to poll.
    if (known === undefined && stream.text.length > 0) stream.restart('');
    const { length } = stream.text;
    const repeated = stream.text.slice(offset, text.length);
    const added = text.slice(repeated.length);
    const isContinued = offset <= length && text.startsWith(repeated);
    if (known?.isFinal === true && (!isContinued || added !== '')) {
      throw conflict(null, 'The last report of this run said `final`; send the answer.');
    }
    if (!isContinued) throw conflict(length, 'Report the text from this offset on.');
    if (length + added.length > BODY_LIMITS.agentResponse) {
      throw new HttpError(413, 'agent_answer_too_large', 'the text of the answer is over 10 MiB', {
        hint: 'Stop reporting; an answer of this size cannot be delivered either.',
      });
    }
    const account = stream.belongTo(workspaceId);
    if (added !== '' && !account.fits(Buffer.byteLength(added))) {
      throw new HttpError(503, 'platform_unavailable', 'there is no memory for more progress now', {
        retry_after: RETRY_AFTER,
        hint: 'Report it again later; the answer itself is not affected.',
      });
    }
    const run = known ?? { id: runId, workspaceId, isFinal: false };
    this.#runs.set(stream, run);
    run.isFinal ||= final === true;
    stream.append(added);
    return { status: 'ok', offset: stream.text.length };
  }

  /** What is stored during a pause does not exist for its agent. */
  async #requireOpen(workspaceId: string, id: string): Promise<void> {
    const { store, workspaces } = this.#options;
    const { visible_seq: visibleSeq } = await workspaces.require(workspaceId);
    const message = await store.find({ id });
    const isOwn = message?.workspace_id === workspaceId && message.message_id !== null;
    if (!isOwn || Number(message.seq) > Number(visibleSeq ?? Number.POSITIVE_INFINITY)) {
      throw new HttpError(404, 'activity_not_found', 'activity row not found', { field: 'activity_id' });
    }
    const state = messageStateOf(message);
    if (state === 'expired') throw messageExpired(message);
    if (isEnded(state)) {
      const { message_id } = message;
      const extras = { message_id, status: state, hint: 'Stop reporting.' };
      throw new HttpError(409, 'message_ended', 'the message has ended', extras);
    }
    if (message.method !== 'message/stream' || state === 'input_required') {
      throw conflict(null, 'Nobody reads a stream of this message; stop reporting.');
    }
  }
}

function conflict(expectedOffset: number | null, hint: string): HttpError {
  return new HttpError(409, 'progress_conflict', 'the progress does not continue what was reported', {
    expected_offset: expectedOffset,
    hint,
  });
}
