import {
  DefaultChatTransport,
  isToolUIPart,
  readUIMessageStream,
  type ToolUIPart,
  type UIMessage,
  type UIMessageChunk,
} from 'ai';

type Route = (request: Request) => Promise<Response>;

/** A chat as a page keeps it, which speaks the protocol of the AI SDK to a route. */
export class ChatPage {
  messages: UIMessage[] = [];
  readonly chunks: UIMessageChunk[] = [];
  /** What the page was shown instead of an error. */
  readonly errors: string[] = [];
  readonly id: string;
  readonly #route: Route;

  constructor(route: Route, { id = `chat-${crypto.randomUUID()}` } = {}) {
    this.#route = route;
    this.id = id;
  }

  /** What the agent said last. */
  get text(): string {
    const texts = this.messages.at(-1)?.parts.map((part) => (part.type === 'text' ? part.text : '')) ?? [];
    return texts.join('');
  }

  /** The calls of the last message. */
  get calls(): ToolUIPart[] {
    return (this.messages.at(-1)?.parts ?? []).filter(isToolUIPart) as ToolUIPart[];
  }

  async say(text: string, abortSignal?: AbortSignal): Promise<void> {
    const id = `message-${this.messages.length}`;
    this.messages = [...this.messages, { id, role: 'user', parts: [{ type: 'text', text }] }];
    await this.submit(abortSignal);
  }

  /** Answers the approvals that wait. */
  async decide(approved: boolean, reason?: string): Promise<void> {
    this.answer(approved, reason);
    await this.submit();
  }

  /** As {@link decide}, without sending it. */
  answer(approved: boolean, reason?: string): void {
    const parts = this.messages.at(-1)?.parts ?? [];
    for (const part of parts) {
      if (!isToolUIPart(part) || part.state !== 'approval-requested') continue;
      const { id } = part.approval;
      Object.assign(part, { state: 'approval-responded', approval: { ...part.approval, id, approved } });
      if (reason !== undefined) Object.assign(part.approval, { reason });
    }
  }

  /** Sends the chat as it is. */
  async submit(abortSignal?: AbortSignal): Promise<void> {
    const transport = new DefaultChatTransport<UIMessage>({
      api: 'http://chat.test/api/chat',
      fetch: async (url, init) => this.#route(new Request(url, init)),
    });
    const stream = await transport.sendMessages({
      trigger: 'submit-message',
      chatId: this.id,
      messageId: undefined,
      messages: this.messages,
      abortSignal,
    });
    const last = this.messages.at(-1);
    const message = last?.role === 'assistant' ? { message: structuredClone(last) } : {};
    const onError = (error: unknown) => void this.errors.push((error as Error).message);
    const kept = stream.pipeThrough(
      new TransformStream<UIMessageChunk, UIMessageChunk>({
        transform: (chunk, to) => this.#keep(chunk, to),
      }),
    );
    const before = 'message' in message ? this.messages.slice(0, -1) : this.messages;
    for await (const read of readUIMessageStream<UIMessage>({ ...message, stream: kept, onError })) {
      this.messages = [...before, read];
    }
  }

  #keep(chunk: UIMessageChunk, to: TransformStreamDefaultController<UIMessageChunk>): void {
    this.chunks.push(chunk);
    to.enqueue(chunk);
  }
}

/** The body that a page would send. */
export function postOf(body: unknown, headers: Record<string, string> = {}): Request {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return new Request('http://chat.test/api/chat', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: text,
  });
}
