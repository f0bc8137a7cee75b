import {
  type AgentEventName,
  ConfigurationError,
  type HandlerContext,
  type InboundAnswer,
  type InboundMessage,
  type InboundSource,
  type JsonObject,
  type SkillHandler,
} from '@molecule-ai/core';
import { peerIdProblem, shape } from '@molecule-ai/core/adapter-kit';
import {
  type ArgumentsHost,
  createParamDecorator,
  type ExecutionContext,
  type PipeTransform,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import { AGENT_EVENTS, isAgentEvent } from './agent-events.ts';
import { pipesOf, type StandardSchema } from './schema-pipe.ts';

/** The context type of messages, `context.getType()`, in guards, interceptors and filters. */
export const MOLECULE_CONTEXT = 'molecule';

/** Under which keys Nest keeps parameters and enhancers. They are not exported, so its own decorators are asked. */
export const { parameters: PARAMETER_KEY, enhancers: ENHANCER_KEYS } = metadataKeys();

function metadataKeys(): { readonly parameters: string; readonly enhancers: readonly string[] } {
  class Probe {
    method(): void {}
  }
  createParamDecorator(() => null)()(Probe.prototype, 'method', 0);
  const enhancer = {
    canActivate: () => true,
    transform: () => null,
    intercept: () => null,
    catch: () => null,
  };
  for (const decorate of [UseGuards, UsePipes, UseInterceptors, UseFilters]) {
    decorate(enhancer as never)(Probe);
  }
  const parameters = Reflect.getMetadataKeys(Probe, 'method')[0] as string;
  return { parameters, enhancers: Reflect.getMetadataKeys(Probe) as string[] };
}

/** Where the decorators of methods keep what they were given. The same in each copy of the package. */
const HANDLERS = '@molecule-ai/nestjs/handlers';

class HandlerShape {
  /** The name of the agent. @default the agent without a name */
  agent = shape.given<string>();
}

/** What every decorator of a method takes. */
export interface HandlerOptions extends shape.OptionsOf<HandlerShape> {}

class PeerMessageShape extends HandlerShape {
  /** Ids of workspaces: only messages of these. @default all other agents */
  from = shape.given<string | readonly string[]>();
}

export interface PeerMessageOptions extends shape.OptionsOf<PeerMessageShape> {}

class AnswerShape extends HandlerShape {
  /**
   * `question`: the answers to questions that a method of the agent returned. `late`: how a message ended that the agent sent and no call waits for.
   * @default both
   */
  kind = shape.given<InboundAnswer['kind']>();
}

export interface AnswerOptions extends shape.OptionsOf<AnswerShape> {}

const HANDLER = shape.optionsSchema(new HandlerShape());
const ANSWER = shape.optionsSchema(new AnswerShape());
const PEER_MESSAGE = shape.optionsSchema(new PeerMessageShape());

/** What a decorated method handles. */
export type HandlerMark = { readonly agent: string } & (
  | { readonly kind: 'message' | 'user' }
  | { readonly kind: 'peer'; readonly from: readonly string[] }
  | { readonly kind: 'task'; readonly method: string }
  | { readonly kind: 'skill'; readonly skill: SkillHandler['skill'] }
  | { readonly kind: 'answer'; readonly of: InboundAnswer['kind'] | undefined }
  | { readonly kind: 'event'; readonly event: AgentEventName }
);

/**
 * The method handles the messages that no other method of the agent does. It gets what its parameter decorators say;
 * without any, the message and its context. What it returns is the answer: a text, `{ text, parts?, metadata?, questions? }`,
 * an `Observable` or `AsyncIterable` of texts, or nothing.
 */
export function OnMessage(options: HandlerOptions = {}): MethodDecorator {
  return handles({ kind: 'message', agent: agentOf('OnMessage', options) });
}

/** The method handles messages of other agents, and of senders that are not known; with `from`, of these workspaces only. */
export function OnPeerMessage(options: PeerMessageOptions = {}): MethodDecorator {
  const agent = agentOf('OnPeerMessage', options, PEER_MESSAGE);
  const from = options.from === undefined ? [] : [options.from].flat();
  const problem =
    options.from !== undefined && from.length === 0
      ? 'the list names no workspace.'
      : from.map(peerIdProblem).find((found) => found !== null);
  if (typeof problem === 'string') throw new ConfigurationError(`@OnPeerMessage({ from }): ${problem}`);
  return handles({ kind: 'peer', agent, from: from.map((id) => id.toLowerCase()) });
}

/** The method handles what people write on the canvas. */
export function OnUserMessage(options: HandlerOptions = {}): MethodDecorator {
  return handles({ kind: 'user', agent: agentOf('OnUserMessage', options) });
}

/** The method handles messages of this method of JSON-RPC, `message.method`, such as `delegate_task`, whoever sent them. */
export function OnTask(method: string, options: HandlerOptions = {}): MethodDecorator {
  if (typeof method !== 'string' || method.trim() === '') {
    throw new ConfigurationError("@OnTask() needs the method of JSON-RPC, such as 'delegate_task'.");
  }
  return handles({ kind: 'task', agent: agentOf('OnTask', options), method });
}

/**
 * The method handles the messages that name this skill, whoever sent them; `@MessageData()` is their data, checked. What it returns is an answer whose
 * data fits the skill, `{ data, text? }`, or has questions. The schemas are on the card of the agent. A message that names another skill fails as `unknown_skill`.
 */
export function Skill(skill: SkillHandler['skill'], options: HandlerOptions = {}): MethodDecorator {
  if (typeof Object(skill).input?.check !== 'function') {
    throw new ConfigurationError('@Skill() needs what defineSkill() returned.');
  }
  return handles({ kind: 'skill', agent: agentOf('Skill', options), skill });
}

/**
 * The method handles answers, which no method for messages gets: an `InboundAnswer`. What it returns for the answers to questions is the answer
 * to the message that raised them, or asks again. Without parameter decorators it gets the answer and its context.
 */
export function OnAnswer(options: AnswerOptions = {}): MethodDecorator {
  const agent = agentOf('OnAnswer', options, ANSWER);
  const { kind } = options;
  if (kind !== undefined && kind !== 'question' && kind !== 'late') {
    throw new ConfigurationError("@OnAnswer({ kind }) must be 'question' or 'late'.", {
      hint: 'Leave kind out for both.',
    });
  }
  const mark = handles({ kind: 'answer', agent, of: kind });
  return (target, key, descriptor) => {
    mark(target, key, descriptor);
    if (Reflect.hasMetadata(PARAMETER_KEY, target.constructor, key)) return;
    Answer()(target, key, 0);
    MessageContext()(target, key, 1);
  };
}

/** The method is called with the arguments of this event of the agent. Guards, pipes, interceptors and filters do not apply. */
export function OnAgentEvent(event: AgentEventName, options: HandlerOptions = {}): MethodDecorator {
  if (!isAgentEvent(event)) {
    throw new ConfigurationError(`@OnAgentEvent(${JSON.stringify(event)}): an agent has no such event.`, {
      hint: `The events are ${AGENT_EVENTS}.`,
    });
  }
  return handles({ kind: 'event', agent: agentOf('OnAgentEvent', options), event });
}

/** What the decorators of a method say, nothing for other methods. */
export function marksOf(method: object): readonly HandlerMark[] {
  return Reflect.getOwnMetadata(HANDLERS, method) ?? [];
}

function handles(mark: HandlerMark): MethodDecorator {
  return (target, key, descriptor) => {
    const method: unknown = descriptor?.value;
    if (typeof method !== 'function' || typeof target === 'function') {
      throw new ConfigurationError(`Static methods and properties cannot handle messages: ${String(key)}.`, {
        hint: 'Decorate a method of the instances of a provider or controller.',
      });
    }
    if (typeof key === 'symbol') {
      throw new ConfigurationError(`A method named by a symbol cannot handle messages: ${String(key)}.`, {
        hint: 'Nest finds methods whose names are texts only: give it such a name.',
      });
    }
    Reflect.defineMetadata(HANDLERS, [mark, ...marksOf(method)], method);
  };
}

function agentOf(decorator: string, options: HandlerOptions, schema: typeof HANDLER = HANDLER): string {
  return shape.parseOptions(`@${decorator}()`, schema, options).agent ?? '';
}

/** The sender of a message. */
export interface MessagePeer {
  /** The workspace; `''` for a person and where nobody knows. */
  readonly id: string;
  readonly source: InboundSource;
  /** Chosen by the peer: untrusted. */
  readonly name: string;
  /** Chosen by the peer: untrusted. */
  readonly role: string;
  /** Chosen by the peer: untrusted. */
  readonly agentCardUrl: string;
}

/** Marks a parameter for the dispatcher: whether pipes apply to it, and as what. */
export const PARAMETERS = {
  /** Pipes of the application would construct an `AbortSignal` of the signal. */
  asItIs: Symbol.for('@molecule-ai/nestjs/as-it-is'),
  /** A global `ValidationPipe` validates it as the body of a request. */
  asBody: Symbol.for('@molecule-ai/nestjs/as-body'),
  asText: Symbol.for('@molecule-ai/nestjs/as-text'),
} as const;

type ParameterPipe = PipeTransform | Type<PipeTransform> | StandardSchema;

/** The text of the message, which is untrusted. Takes pipes and schemas of Standard Schema, such as those of zod. */
export const MessageText = (...pipes: ParameterPipe[]): ParameterDecorator =>
  parameter(
    'MessageText',
    PARAMETERS.asText,
    ({ text }, _context, answer) => (answer?.kind === 'late' ? answer.reply.text : text),
    pipes,
  );

/**
 * The params of the call, which are untrusted: of a task without the `message` and `metadata` of A2A. Takes pipes and schemas of Standard Schema. Pipes of classes,
 * methods and the application apply as to the body of a request, so a `ValidationPipe` validates the class of the parameter.
 */
export const MessageParams = (...pipes: ParameterPipe[]): ParameterDecorator =>
  // A copy: pipes may change what they get, and another attempt gets the same message.
  parameter('MessageParams', PARAMETERS.asBody, (message) => structuredClone(paramsOf(message)), pipes);

/**
 * The structured data of the message, in methods of `@Skill()` as the schema returns it, elsewhere any JSON or `undefined`, untrusted. Takes pipes and schemas as
 * `@MessageParams()` does: a `ValidationPipe` validates the class of the parameter.
 */
export const MessageData = (...pipes: ParameterPipe[]): ParameterDecorator =>
  parameter(
    'MessageData',
    PARAMETERS.asBody,
    ({ data, parts }, _context, answer) => {
      const given = answer?.kind === 'late' ? answer.reply.data : data;
      // A copy: pipes may change what they get. What a schema has made belongs to this attempt.
      return parts.some((part) => part.data === given) ? structuredClone(given) : given;
    },
    pipes,
  );

/**
 * The params as their sender wrote them. To those of a task a `message` or the `metadata` of the platform is added on the way, which a
 * `ValidationPipe` with `forbidNonWhitelisted` would refuse. Params of `message/send` are nothing else.
 */
function paramsOf({ method, params }: InboundMessage): JsonObject {
  if (method.startsWith('message/')) return params;
  const { message, metadata: _metadata, ...own } = params;
  // A text is a parameter of the sender.
  return message === undefined || isObject(message) ? own : { ...own, message };
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Who sent the message: a {@link MessagePeer}. */
export const Peer = (): ParameterDecorator => parameter('Peer', PARAMETERS.asItIs, peerOf);

/** The message itself, an `InboundMessage`. */
export const Message = (): ParameterDecorator =>
  parameter('Message', PARAMETERS.asItIs, (message) => message);

/** The `InboundAnswer`, in methods of `@OnAnswer()`. */
export const Answer = (): ParameterDecorator =>
  parameter('Answer', PARAMETERS.asItIs, (_message, _context, answer) => {
    if (answer !== undefined) return answer;
    throw new ConfigurationError('@Answer() is for methods of @OnAnswer(): other messages are no answers.');
  });

/** The `HandlerContext`: to stream, to reply early, `once`, the client and the signal. */
export const MessageContext = (): ParameterDecorator =>
  parameter('MessageContext', PARAMETERS.asItIs, (_message, context) => context);

/** The `AbortSignal` of the message: pass it to everything that takes one. */
export const Signal = (): ParameterDecorator =>
  parameter('Signal', PARAMETERS.asItIs, (_message, { signal }) => signal);

/** What a method is called with that handles a message. */
interface Handled {
  readonly message: InboundMessage;
  readonly context: HandlerContext;
  readonly answer?: InboundAnswer | undefined;
}

/** Under which the context of a microservice has the `HandlerContext`. */
export const HANDLER_CONTEXT = Symbol.for('@molecule-ai/nestjs/handler-context');

/** `undefined` for calls that are not messages of Molecule AI. */
export function handledIn(host: ArgumentsHost): Handled | undefined {
  const [message, second, answer] = host.getArgs();
  const type = host.getType<string>();
  if (type === MOLECULE_CONTEXT) return { message, context: second, answer };
  const context: HandlerContext | undefined =
    type === 'rpc' ? Reflect.get(Object(second), HANDLER_CONTEXT) : undefined;
  return context === undefined ? undefined : { message, context };
}

export function parameter(
  name: string,
  kind: symbol,
  read: (message: InboundMessage, context: HandlerContext, answer: InboundAnswer | undefined) => unknown,
  pipes: readonly ParameterPipe[] = [],
): ParameterDecorator {
  const decorate = createParamDecorator((_kind: symbol, host: ExecutionContext) => {
    const handled = handledIn(host);
    if (handled !== undefined) return read(handled.message, handled.context, handled.answer);
    throw new ConfigurationError(`@${name}() is for methods that handle messages of Molecule AI.`, {
      hint: `${host.getClass().name}.${host.getHandler().name} was called by "${host.getType()}".`,
    });
  });
  return decorate(kind, ...pipesOf(`@${name}()`, pipes));
}

function peerOf({ sourceId, source, peerName, peerRole, agentCardUrl }: InboundMessage): MessagePeer {
  const id = source === 'canvas_user' ? '' : sourceId;
  return { id, source, name: peerName, role: peerRole, agentCardUrl };
}
