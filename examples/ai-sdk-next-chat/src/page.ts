import {
  DefaultChatTransport,
  isToolUIPart,
  readUIMessageStream,
  type UIMessage,
  type UIMessageChunk,
} from 'ai';

type Part = UIMessage['parts'][number];
type Call = Extract<Part, { readonly toolCallId: string }>;
type Question = Extract<Call, { readonly state: 'approval-requested' }>;

/** The page, without what it draws: `useChat` of React does the same. */
export class Page {
  readonly id: string;
  messages: UIMessage[];
  /** The words of the agent, as they came. */
  readonly pieces: string[] = [];
  readonly #transport: DefaultChatTransport<UIMessage>;

  private constructor(api: string, id: string, messages: UIMessage[]) {
    this.id = id;
    this.messages = messages;
    this.#transport = new DefaultChatTransport<UIMessage>({ api });
  }

  /** Opens a chat, with what is stored of it. */
  static async open(api: string, id: string): Promise<Page> {
    const stored = await fetch(`${api}?id=${id}`);
    return new Page(api, id, stored.ok ? ((await stored.json()) as UIMessage[]) : []);
  }

  /** What the agent said last. */
  get text(): string {
    return (this.messages.at(-1)?.parts ?? [])
      .map((part) => (part.type === 'text' ? part.text : ''))
      .join('');
  }

  /** What the agent asks the user to approve. */
  get question(): Question | undefined {
    const calls = (this.messages.at(-1)?.parts ?? []).filter(isToolUIPart) as Call[];
    return calls.find((call): call is Question => call.state === 'approval-requested');
  }

  async say(text: string): Promise<void> {
    this.messages = [
      ...this.messages,
      { id: crypto.randomUUID(), role: 'user', parts: [{ type: 'text', text }] },
    ];
    await this.submit();
  }

  async approve(question: Question): Promise<void> {
    const answered = {
      ...question,
      state: 'approval-responded',
      approval: { ...question.approval, approved: true },
    };
    this.messages = this.messages.map((message) => ({
      ...message,
      parts: message.parts.map((part) => (part === question ? (answered as Part) : part)),
    }));
    await this.submit();
  }

  /** Sends the chat, and reads what the agent does. */
  async submit(): Promise<void> {
    const stream = await this.#transport.sendMessages({
      trigger: 'submit-message',
      chatId: this.id,
      messageId: undefined,
      messages: this.messages,
      abortSignal: undefined,
    });
    const heard = new TransformStream<UIMessageChunk, UIMessageChunk>({
      transform: (chunk, controller) => {
        if (chunk.type === 'text-delta') this.pieces.push(chunk.delta);
        controller.enqueue(chunk);
      },
    });
    const last = this.messages.at(-1);
    const continued = last?.role === 'assistant' ? { message: last } : {};
    const before = last?.role === 'assistant' ? this.messages.slice(0, -1) : this.messages;
    for await (const message of readUIMessageStream<UIMessage>({
      ...continued,
      stream: stream.pipeThrough(heard),
    })) {
      this.messages = [...before, message];
    }
  }
}
