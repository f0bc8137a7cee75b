import type { InboundMessage, JsonObject, JsonValue, MessagePart } from '@molecule-ai/protocol';

/** The context of one attempt; the agent adds client and logger. */
export interface AttemptContext {
  /**
   * Aborts when the handler has to end. The reason is a `MoleculeError` whose code says why. `cancelled_by_sender`: the
   * message is finished, and no answer is sent. `message_expired`: its deadline has passed, and it is finished too.
   * `agent_stopped`, `workspace_paused`: the message is handled again. `timed_out`: so it is, unless text of the answer was
   * sent; then it fails. The handler has five seconds to end; what it returns or throws after the abort does not count. Pass the
   * signal to everything that takes one, calls to peers included.
   */
  readonly signal: AbortSignal;
  /** The number of this attempt at the message: starts at 1; continues across restarts. */
  readonly attempt: number;
  /**
   * Sends an answer now; an answer that the handler returns is then not sent. May be called several times. A later
   * attempt does not send the same answers again. Resolves when the platform or the waiting request has the answer.
   * @throws MoleculeError `invalid_answer`, also after `stream`; `invalid_argument` for a blank one. After an abort it rejects
   * with the signal's reason.
   */
  reply(answer: string | AnswerContent): Promise<void>;
  /**
   * Adds to the answer, and sends this to whoever reads it as a stream; what the handler returns then is the rest. Resolves when
   * the readers are not far behind, or were waited for 5 s in all. Once text was sent, a handler that throws is not retried: the
   * message fails.
   * @throws MoleculeError `invalid_answer` for what is not a text, and after `reply`; `invalid_argument` after the return;
   * `agent_answer_too_large` above 10 Mi characters, and above 1 MiB as JSON where the message was polled. After an abort it
   * rejects with the signal's reason.
   */
  stream(delta: string): Promise<void>;
  /** Sets the current task that users see, sent with the next heartbeat: one line, cut at 200 characters. Nothing after an abort. */
  progress(text: string): void;
  /**
   * Runs an effect once per message and key; later attempts get the stored result. A crash before the result is stored
   * repeats the effect, so pass the key on as an idempotency key where possible. The result must be JSON; `undefined`
   * is stored as `null`.
   * @throws MoleculeError `invalid_argument` for a result that is not JSON.
   */
  once<T>(key: string, effect: () => T | Promise<T>): Promise<T>;
}

/** Handles one message; what it returns is its answer. */
export type AttemptHandler = (message: InboundMessage, context: AttemptContext) => unknown;

/** A question in the answer of a handler. */
export interface QuestionToAsk {
  /** `approval`: a person or an operator decides, with `approve` or `reject`. `text`: the answer is a text. */
  readonly kind: 'approval' | 'text';
  /** What the person or agent reads, at most 20 000 characters. */
  readonly text: string;
  /** Who answers a `text`: the `user` of the agent's own canvas, or the `sender` of the message. An `approval` is for people, whatever this says. */
  readonly from: 'user' | 'sender';
  /** Shown with the question, for example the arguments of a call. It comes back with the answer. */
  readonly data?: JsonValue | undefined;
  /**
   * Comes back with the answer. Used for one message of the agent only, so include `message.id`.
   * @default derived from the message and the place of the question
   */
  readonly id?: string | undefined;
}

/** An answer with more than a text. */
export interface AnswerContent {
  /** Needed unless there are data, parts or questions. */
  readonly text?: string | undefined;
  /** Structured data, any JSON: a data part after the text. */
  readonly data?: JsonValue | undefined;
  /** Parts after text and data: files, and further data. */
  readonly parts?: readonly MessagePart[] | undefined;
  /** Open data of the answer. */
  readonly metadata?: JsonObject | undefined;
  /**
   * What the agent has to know before it can continue, at most 20. The message stays open, also over a restart. When all are answered,
   * `onAnswer` of the agent gets them; what it returns is the answer to the message.
   *
   * An id that the agent used for another message ends this one as failed, `invalid_answer`. A platform without the capability
   * `questions` passes them on in the metadata of the answer.
   *
   * @example
   * const ask = { kind: 'approval', text: 'Deploy version 7?', from: 'user' } as const;
   * createRemoteAgent({
   *   client,
   *   onMessage: () => ({ questions: [ask] }),
   *   onAnswer: async (answer) => {
   *     if (answer.kind === 'late') return;
   *     return answer.questions[0]?.decision === 'approve' ? await deploy() : 'Not deployed.';
   *   },
   * });
   */
  readonly questions?: readonly QuestionToAsk[] | undefined;
}

/**
 * What a handler returns: the answer, or nothing. A blank text is nothing. The texts of an iterable are streamed, as those of
 * `context.stream`. After what was streamed, a text that begins with it is the whole answer; any other is added at its end.
 */
export type HandlerAnswer =
  | string
  | AnswerContent
  | AsyncIterable<string>
  | null
  | undefined
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is a handler as well
  | void;
