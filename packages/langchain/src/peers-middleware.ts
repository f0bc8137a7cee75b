import { AIMessage, type BaseMessage, type SystemMessage, ToolMessage } from '@langchain/core/messages';
import { BaseTransformOutputParser } from '@langchain/core/output_parsers';
import { type PeerClient, peerTextInstructions, plainPeerText } from '@molecule-ai/core';
import {
  createPlainText,
  type DefaultPeerToolNames,
  fenceForeignText,
  isPeerToolName,
  mapTexts,
  type PeerToolName,
} from '@molecule-ai/core/adapter-kit';
// biome-ignore lint/suspicious/noTsIgnore: without the optional peer it is an error, with it none
/** @ts-ignore `langchain` is optional: a program without it compiles all the same. */
import type { AgentMiddleware } from 'langchain';
import { type CreatePeerToolsOptions, createPeerTools, type PeerStructuredToolList } from './peer-tools.ts';

/** By this symbol LangChain marks what its `createMiddleware` returns. */
const BRAND = Symbol.for('AgentMiddleware');
/** `status` in the artifacts of these tools. */
const OWN_STATUSES: ReadonlySet<unknown> = new Set([
  'ok',
  'sent',
  'error',
  'answered',
  'unanswered',
  'queued',
  'input-required',
  'failed',
  'canceled',
  'expired',
]);

/** The middleware of LangChain with the tools for peers. */
export interface PeersMiddleware<Names extends readonly PeerToolName[] = readonly PeerToolName[]>
  extends Omit<PlainMiddleware, 'tools' | '~middlewareTypes'> {
  tools: PeerStructuredToolList<Names>;
  /** From this LangChain infers the types of an agent; there is no such value. */
  readonly '~middlewareTypes'?: {
    Schema: undefined;
    ContextSchema: undefined;
    FullContext: unknown;
    Tools: PeerStructuredToolList<Names>;
    StreamTransformers: readonly [];
  };
}

type PlainMiddleware = AgentMiddleware<undefined, undefined, unknown>;

/**
 * The tools for peers in a `createAgent` agent, and what an agent with them needs: the instruction how to read fenced texts in its system
 * prompt, a fence around results of other tools that contain boundary markers, and no such markers in its answers.
 * @throws MoleculeError `invalid_argument` for wrong options.
 *
 * @example
 * const agent = createAgent({ model, middleware: [peersMiddleware(client)] });
 */
export function peersMiddleware<const Names extends readonly PeerToolName[] = DefaultPeerToolNames>(
  client: PeerClient,
  options: CreatePeerToolsOptions<Names> = {},
): PeersMiddleware<Names> {
  const middleware: Omit<PlainMiddleware, symbol> = {
    name: 'PeersMiddleware',
    tools: createPeerTools(client, options),
    // All of it around the model: a middleware around tools makes the framework end the run where another tool throws, and a node
    // before or after the model counts for the recursion limit.
    wrapModelCall: async (request, handler) => {
      const response = await handler({
        ...request,
        ...systemOf(request),
        messages: request.messages.map(withFence),
      });
      return AIMessage.isInstance(response) ? withoutMarkers(response) : response;
    },
  };
  return Object.assign(middleware, { [BRAND]: true }) as unknown as PeersMiddleware<Names>;
}

/**
 * Reads the text of a model's output, without the marks of the trust boundary that the model repeated: markers and tags of fences. All other
 * words stay. Streams: what cannot become a mark any more is passed on at once. Of message content in blocks it takes
 * the texts.
 *
 * @example
 * const chain = prompt.pipe(model).pipe(new StripBoundaryOutputParser());
 */
export class StripBoundaryOutputParser extends BaseTransformOutputParser<string> {
  static override lc_name(): string {
    return 'StripBoundaryOutputParser';
  }

  override lc_namespace = ['molecule_ai', 'langchain', 'output_parsers'];
  override lc_serializable = true;

  override _type(): string {
    return 'strip_boundary';
  }

  override async parse(text: string): Promise<string> {
    return plainPeerText(text);
  }

  override getFormatInstructions(): string {
    return '';
  }

  override async *_transform(pieces: AsyncGenerator<string | BaseMessage>): AsyncGenerator<string> {
    const plain = createPlainText();
    for await (const piece of pieces) {
      const text = plain.push(typeof piece === 'string' ? piece : this._baseMessageToString(piece));
      if (text !== '') yield text;
    }
    yield plain.end();
  }

  protected override _baseMessageContentToString(content: readonly { readonly type?: unknown }[]): string {
    return content
      .map((block) => ('text' in block && typeof block.text === 'string' ? block.text : ''))
      .join('');
  }
}

/** The system prompt with the instruction. Early releases of LangChain 1 have a text instead of a message. */
function systemOf({ systemMessage, systemPrompt }: Partial<SystemOfRequest>): Partial<SystemOfRequest> {
  if (systemMessage !== undefined) return { systemMessage: withInstructions(systemMessage) };
  const text = systemPrompt ?? '';
  if (text.includes(peerTextInstructions)) return { systemPrompt: text };
  return { systemPrompt: text === '' ? peerTextInstructions : `${text}\n\n${peerTextInstructions}` };
}

interface SystemOfRequest {
  readonly systemMessage: SystemMessage;
  readonly systemPrompt: string;
}

function withInstructions(system: SystemMessage): SystemMessage {
  if (system.text.includes(peerTextInstructions)) return system;
  if (system.text === '') return withContent(system, peerTextInstructions);
  const blocks =
    typeof system.content === 'string' ? [{ type: 'text', text: system.content }] : system.content;
  // A block of its own leaves the application's blocks as they are, so also what it marks to be cached.
  return withContent(system, [...blocks, { type: 'text', text: `\n\n${peerTextInstructions}` }]);
}

/** A result of a tool whose texts contain no boundary marker outside of a fence; the same message where they contain none. */
function withFence(message: BaseMessage): BaseMessage {
  const isResult = ToolMessage.isInstance(message) || message.getType() === 'function';
  if (!isResult || isOwnResult(message)) return message;
  const { content } = message;
  const fenced = typeof content === 'string' ? fenceForeignText(content) : fencedBlocks(content);
  return fenced === content ? message : withContent(message, fenced);
}

function fencedBlocks(blocks: Blocks): Blocks {
  const fenced = mapTexts(blocks, fenceForeignText);
  const joined = fenced.map(shownText).join('');
  if (fenceForeignText(joined) === joined) return fenced;
  // A marker in pieces: a model reads the texts as one.
  const others = fenced.filter((block) => textOf(block) === '');
  const text = fenceForeignText(blocks.map(shownText).join(''));
  return [
    { type: 'text', text },
    ...others.map((block) => (shownText(block) === '' ? block : { ...block, text: '' })),
  ];
}

/** Whether it is an outcome of a tool of this package, whose fences have known origins. */
function isOwnResult(message: BaseMessage): boolean {
  const { name } = message;
  const artifact: unknown = Reflect.get(message, 'artifact');
  if (name === undefined || !isPeerToolName(name)) return false;
  if (typeof artifact !== 'object' || artifact === null) return false;
  return OWN_STATUSES.has(Reflect.get(artifact, 'status'));
}

/** The answer without boundary markers that the model repeated; the same message where there are none. */
function withoutMarkers(message: AIMessage): AIMessage {
  const plain = createPlainText({ keepFences: true });
  const { content } = message;
  if (typeof content === 'string') {
    const text = plain.push(content) + plain.end();
    return text === content ? message : withContent(message, text);
  }
  const texts = content.map(textOf);
  const cleaned = texts.map((text) => plain.push(text));
  const last = texts.findLastIndex((text) => text !== '');
  if (last !== -1) cleaned[last] += plain.end();
  if (cleaned.join('') === texts.join('')) return message;
  return withContent(
    message,
    content.map((block, place) => (textOf(block) === '' ? block : { ...block, text: cleaned[place] })),
  );
}

type Blocks = Exclude<BaseMessage['content'], string>;

function textOf(block: Blocks[number]): string {
  return block.type === 'text' && typeof block.text === 'string' ? block.text : '';
}

/** The text that a provider may send as text. */
function shownText(block: Blocks[number]): string {
  const text: unknown = block.type === 'text' || block.type === 'text-plain' ? block.text : '';
  return typeof text === 'string' ? text : '';
}

/** A copy with everything else as it is, so also what a provider added to the message. */
function withContent<Message extends BaseMessage>(message: Message, content: Message['content']): Message {
  const copy: Message = Object.create(
    Object.getPrototypeOf(message),
    Object.getOwnPropertyDescriptors(message),
  );
  copy.content = content;
  copy.lc_kwargs = { ...message.lc_kwargs, content };
  return copy;
}
