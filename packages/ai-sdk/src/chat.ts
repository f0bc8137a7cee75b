import { inConversation, shape } from '@molecule-ai/core/adapter-kit';
import {
  createAgentUIStream,
  createUIMessageStream,
  createUIMessageStreamResponse,
  type UIMessage,
  type UIMessageChunk,
} from 'ai';
import { type ApprovalSigner, approvalSigner, redeemInProcess } from './chat-approvals.ts';
import { approvalOf, type Chat, type ChatPart, invalidMessages, Refusal, readChat } from './chat-request.ts';
import { secretOption } from './peer-tools.ts';
import { silent } from './runs.ts';

const ERROR_TEXT = 'Something went wrong. Please try again.';

/** An agent of the AI SDK: a `ToolLoopAgent`, or any other. Its call options, if it has some, must be optional. */
export interface ChatAgent {
  readonly version: 'agent-v1';
  readonly id?: string | undefined;
  readonly tools?: object | undefined;
  stream(options: never): PromiseLike<object>;
}

/** What came of one request, for programs that store chats. */
export interface FinishedChat {
  readonly chatId: string;
  /** The whole chat, as the page has it now. Tool results in it have words of peers: keep it as private as credentials. */
  readonly messages: readonly UIMessage[];
  /** The last of them, which the agent began or continued. */
  readonly responseMessage: UIMessage;
  /** `aborted` when the page closed the connection. */
  readonly outcome: 'finished' | 'aborted' | 'failed';
}

class ChatRouteShape {
  /** A `ToolLoopAgent` or another agent of the AI SDK, whose call options are optional. */
  agent = shape.option<ChatAgent>((agent, refuse) => {
    if (typeof Reflect.get(Object(agent), 'stream') === 'function') return agent as ChatAgent;
    return refuse('must be an agent of the AI SDK, such as a ToolLoopAgent');
  });
  /** Gets what went wrong in a run, for logs: the page gets `errorText`. */
  onError = shape.option<(error: unknown, chat: { readonly chatId: string }) => void>((onError, refuse) => {
    if (typeof onError === 'function') return onError as never;
    return refuse('must be a function: nothing else gets what goes wrong in a run');
  });
  /** Called at the end of each run, also of one that failed. What it throws goes to `onError`. */
  onFinish = shape.func<(chat: FinishedChat) => void | PromiseLike<void>>();
  /**
   * The conversation in which peers are asked, for the id that the page chose. With several users, put that of the user into it: who knows
   * the id of a chat continues its conversations with peers. @default the id of the page
   */
  chatId = shape.func<(id: string, request: Request) => string | PromiseLike<string>>();
  /** Signs approvals, 32 characters or more, the same for all processes that serve the route. @default a random one of this process */
  approvalSecret = secretOption();
  /**
   * Records that an approval is used, by its key of 43 characters, and returns `false` when it was used before. Must be atomic over all processes that serve
   * the route, such as `insert … on conflict do nothing`; a week is long enough to keep a key. @default the latest 10 000 of this process
   */
  redeemApproval = shape.func<(key: string) => boolean | PromiseLike<boolean>>();
  /** A longer chat is refused with 413. @default 4 194 304 */
  maxBodyBytes = shape.number({ min: 1_000, isInteger: true, byDefault: 4 * 1_024 * 1_024 });
  /** Whether the agent may be given a file by this URL, from which it is then downloaded. @default files are sent as `data:` URLs only */
  allowFileUrl = shape.func<(url: URL) => boolean>();
  /** As in the AI SDK. @default true */
  sendReasoning = shape.flag(undefined);
  /** As in the AI SDK. @default false */
  sendSources = shape.flag(undefined);
  /** What the page shows instead of an error. @default 'Something went wrong. Please try again.' */
  errorText = shape.nonBlank();
}

export interface ChatRouteOptions
  extends Omit<shape.OptionsOf<ChatRouteShape>, 'agent' | 'onError'>,
    Pick<shape.SettingsOf<ChatRouteShape>, 'agent' | 'onError'> {}

const OPTIONS = shape.optionsSchema(new ChatRouteShape());
type Settings = shape.SettingsOf<ChatRouteShape>;

/**
 * A chat endpoint for `useChat` and `DefaultChatTransport`, as `POST` of a route of Next.js or of any server with standard requests. A wrong request
 * gets a 4xx response with `{ error, code, hint }`.
 * @throws ConfigurationError for wrong options.
 *
 * @example
 * export const POST = createChatRoute({ agent, onError: (error) => log.error(error) });
 */
export function createChatRoute(given: ChatRouteOptions): (request: Request) => Promise<Response> {
  const options = shape.parseOptions('createChatRoute', OPTIONS, given);
  const signer = approvalSigner(options.approvalSecret);
  warnOfOtherProcesses(options);
  return async (request) => {
    try {
      return await respond(request, options, signer);
    } catch (error) {
      if (error instanceof Refusal) return error.response();
      // Nobody reads it.
      if (request.signal.aborted) return new Response(null, { status: 499 });
      reportTo(options, error, '');
      return new Refusal(500, 'run_failed', 'The chat could not be continued.', 'Try again.').response();
    }
  };
}

/** Without the secret, an approval means nothing to another process. */
function warnOfOtherProcesses({ approvalSecret, redeemApproval }: Settings): void {
  // biome-ignore lint/style/noProcessEnv: the only place of this package that reads the environment
  const isProduction = process.env.NODE_ENV === 'production';
  if (!isProduction || approvalSecret === undefined || redeemApproval !== undefined) return;
  process.emitWarning(
    'createChatRoute: each process that has this approvalSecret, also after a restart, makes an approved call once more when its approval is sent again.',
    {
      code: 'MOLECULE_APPROVALS',
      detail: 'Set the option `redeemApproval`, which records used approvals in your database.',
    },
  );
}

async function respond(request: Request, options: Settings, signer: ApprovalSigner): Promise<Response> {
  const { agent, maxBodyBytes } = options;
  const chat = await readChat(request, {
    signer,
    maxBodyBytes,
    tools: agent.tools ?? {},
    chatId: (id) => (options.chatId === undefined ? id : options.chatId(id, request)),
    allowFileUrl: (url) => options.allowFileUrl?.(url) ?? false,
  });
  request.signal.throwIfAborted();
  // Peers that are asked belong to the chat, also in the steps that the stream runs later.
  return await inConversation(chat.chatId, () => streamRun(request.signal, options, chat, signer));
}

/** Runs the agent, for a page that reads along. */
async function streamRun(
  closing: AbortSignal,
  options: Settings,
  { chatId, given, clean, approved, denied }: Chat,
  signer: ApprovalSigner,
): Promise<Response> {
  const { agent, onFinish, sendReasoning = true, sendSources = false } = options;
  const leaving = new AbortController();
  // Not AbortSignal.any(): Node keeps such a signal, with all that listens to it, until it aborts.
  const leave = () => leaving.abort(closing.reason);
  if (closing.aborted) leave();
  closing.addEventListener('abort', leave, { once: true });
  const abortSignal = leaving.signal;
  const errors = new RunErrors(options, chatId, abortSignal);
  let hasBegun = false;
  const stream = async (call: never) => {
    hasBegun = true;
    // Not earlier: an approval stays good when its chat is refused. Not later: the agent makes the calls.
    for (const each of approved) await redeem(options, each);
    return silent(agent).stream(call);
  };
  const run = await createAgentUIStream({
    agent: { version: 'agent-v1', id: agent.id, tools: agent.tools, stream } as never,
    uiMessages: [...clean],
    abortSignal,
    experimental_transform: () => errors.transform() as never,
    onError: errors.onError,
    // Their texts are replaced below. The framework prints a warning where it does that.
    redactToolErrors: false,
    sendReasoning,
    sendSources,
  }).catch((error: unknown) => {
    throw hasBegun || abortSignal.aborted ? error : invalidMessages(error);
  });
  const sign = (approvalId: string, call: ChatPart, request: object) =>
    signer.sign(approvalId, approvalOf(call, request, chatId));
  const page = createUIMessageStream({
    originalMessages: given as unknown as UIMessage[],
    onError: errors.onError,
    onFinish: async ({ messages, responseMessage, isAborted }) => {
      const outcome = isAborted || abortSignal.aborted ? 'aborted' : errors.hasFailed ? 'failed' : 'finished';
      try {
        await onFinish?.({ chatId, messages, responseMessage, outcome });
      } catch (error) {
        reportTo(options, error, chatId);
      }
    },
    execute: ({ writer }) => writer.merge(run.pipeThrough(pageStream({ errors, sign, denied }))),
  });
  return createUIMessageStreamResponse({ stream: endingRun(page, leaving, abortSignal) });
}

/** @throws Refusal for an approval that was used before; what the option throws. */
async function redeem({ redeemApproval = redeemInProcess }: Settings, signed: string): Promise<void> {
  const isFirst: unknown = await redeemApproval(signed.slice(signed.lastIndexOf('.') + 1));
  if (isFirst === true) return;
  if (isFirst !== false) throw new TypeError('redeemApproval() must return true or false.');
  const hint = 'Load the chat again: it may have gone on.';
  throw new Refusal(409, 'approval_used', 'What was approved has been begun before.', hint);
}

/** What goes wrong in a run: reported once each, and shown to the page without its words. */
class RunErrors {
  readonly text: string;
  readonly report: (error: unknown) => void;
  readonly #calls = new Set<unknown>();
  #isToShow = false;
  hasFailed = false;

  constructor(options: Settings, chatId: string, signal: AbortSignal) {
    this.text = options.errorText ?? ERROR_TEXT;
    const reported = new Set<unknown>();
    this.report = (error) => {
      if (signal.aborted || reported.has(error)) return;
      reported.add(error);
      reportTo(options, error, chatId);
    };
  }

  readonly onError = (error: unknown): string => {
    // What reads the page for `onFinish` finds the errors that it shows.
    if (!(error instanceof Error && error.message === this.text)) this.report(error);
    return this.text;
  };

  /** Takes errors out of the stream of the framework, which prints those that it finds there. */
  transform(): TransformStream<ChatPart, ChatPart> {
    return new TransformStream({
      transform: (part, controller) => {
        if (part.type === 'error' || part.type === 'tool-error') this.report(part.error);
        if (part.type === 'tool-error') this.#calls.add(part.toolCallId);
        if (part.type === 'error') this.#isToShow = true;
        else controller.enqueue(part);
      },
    });
  }

  /** The chunks that the page gets for the next one, or for the end of the stream. */
  chunksFor(chunk?: UIMessageChunk): UIMessageChunk[] {
    const shown: UIMessageChunk[] = this.#isToShow ? [{ type: 'error', errorText: this.text }] : [];
    this.#isToShow = false;
    if (shown.length > 0 || chunk?.type === 'error') this.hasFailed = true;
    return chunk === undefined ? shown : [...shown, this.#withoutWords(chunk)];
  }

  #withoutWords(chunk: UIMessageChunk): UIMessageChunk {
    if (chunk.type !== 'tool-output-error' && chunk.type !== 'tool-input-error') return chunk;
    const { toolCallId, errorText } = chunk;
    if (!this.#calls.has(toolCallId) && errorText !== this.text) this.report(new Error(errorText));
    return { ...chunk, errorText: this.text };
  }
}

interface PageStreamOptions {
  readonly errors: RunErrors;
  readonly denied: readonly string[];
  sign(approvalId: string, call: ChatPart, request: object): string;
}

/** The stream as the page may have it. */
function pageStream({
  errors,
  sign,
  denied,
}: PageStreamOptions): TransformStream<UIMessageChunk, UIMessageChunk> {
  const calls = new Map<string, ChatPart>();
  const signed = (chunk: UIMessageChunk): UIMessageChunk => {
    if (chunk.type === 'tool-input-available')
      calls.set(chunk.toolCallId, { ...chunk, type: 'dynamic-tool' });
    // What the agent decided by itself is not for the page to approve.
    if (chunk.type !== 'tool-approval-request' || chunk.isAutomatic === true) return chunk;
    const call = calls.get(chunk.toolCallId);
    return call === undefined ? chunk : { ...chunk, approvalId: sign(chunk.approvalId, call, chunk) };
  };
  return new TransformStream({
    transform(chunk, controller) {
      for (const each of errors.chunksFor(signed(chunk))) controller.enqueue(each);
      if (chunk.type !== 'start') return;
      // Version 7.0.0 of the framework does not add it.
      for (const toolCallId of denied) controller.enqueue({ type: 'tool-output-denied', toolCallId });
    },
    flush(controller) {
      for (const each of errors.chunksFor()) controller.enqueue(each);
    },
  });
}

/** The page, whose end by its reader ends the run. What an aborted run leaves is read in any case, so that its end is known. */
function endingRun<Chunk>(
  page: ReadableStream<Chunk>,
  leaving: AbortController,
  ending: AbortSignal,
): ReadableStream<Chunk> {
  const reader = page.getReader();
  let isOpen = true;
  let rest: Promise<void> | undefined;
  const forward = async (to: ReadableStreamDefaultController<Chunk>) => {
    const { done, value } = await reader.read();
    if (isOpen && !done) to.enqueue(value);
    if (isOpen && done) to.close();
    isOpen &&= !done;
    // The framework has made signals of this one, which Node keeps until they abort.
    if (done) leaving.abort();
    return done;
  };
  return new ReadableStream({
    start(controller) {
      const readRest = async () => {
        while (!(await forward(controller)));
      };
      const end = () => {
        rest = readRest().catch((error: unknown) => controller.error(error));
      };
      if (ending.aborted) end();
      else ending.addEventListener('abort', end, { once: true });
    },
    pull: async (controller) => void (await forward(controller)),
    async cancel(reason) {
      isOpen = false;
      leaving.abort(reason);
      await rest;
    },
  });
}

function reportTo({ onError }: Settings, error: unknown, chatId: string): void {
  try {
    onError(error, { chatId });
  } catch {
    // There is nobody else to report it to.
  }
}
