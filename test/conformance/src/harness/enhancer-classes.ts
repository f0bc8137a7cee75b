import type { HandlerContext, InboundMessage } from '@molecule-ai/core';
import {
  Message,
  MessageContext,
  MessageParams,
  type MessagePeer,
  MessageText,
  OnAgentEvent,
  OnPeerMessage,
  OnTask,
  OnUserMessage,
  Peer,
  Signal,
} from '@molecule-ai/nestjs';
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Inject,
  Injectable,
  type InjectableOptions,
  type NestInterceptor,
  type PipeTransform,
  Scope,
  type Type,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import {
  APP_FILTER,
  APP_GUARD,
  APP_INTERCEPTOR,
  APP_PIPE,
  type ContextId,
  ContextIdFactory,
  type ContextIdStrategy,
  type HostComponentInfo,
  REQUEST,
} from '@nestjs/core';
import { IsOptional } from 'class-validator';
import { map, of } from 'rxjs';
import type { Cue, Kind, Unit, Value } from './enhancer-matrix.ts';

export const GLOBAL_TOKENS = {
  guard: APP_GUARD,
  pipe: APP_PIPE,
  interceptor: APP_INTERCEPTOR,
  filter: APP_FILTER,
} as const;

const DECORATORS = { guard: UseGuards, pipe: UsePipes, interceptor: UseInterceptors, filter: UseFilters };

const SCOPES: Readonly<Record<Value<'scope'>, InjectableOptions>> = {
  static: {},
  request: { scope: Scope.REQUEST },
  transient: { scope: Scope.TRANSIENT },
  durable: { scope: Scope.REQUEST, durable: true },
};

/** The text of a message: for which tenant it is, what it asks for, and a number that no other message has. */
export function textOf(tenant: string, cue: Cue, number: number): string {
  return `${tenant} ${cue} ${number}`;
}

export function numberIn(text: string): number {
  return Number(text.split(' ')[2]?.split(',')[0]);
}

function cueOf(text: string): string {
  return text.split(' ')[1] ?? '';
}

function tenantOf(text: string): string {
  return text.split(' ')[0] ?? '';
}

/** What an enhancer saw when it ran. */
export interface Run {
  readonly kind: Kind;
  readonly level: Value<'level'>;
  readonly number: number;
  readonly instance: object;
  /** Whatever was not as it has to be. */
  readonly problems: readonly string[];
  /** What was made for this message, of enhancers that are too. */
  readonly request: PerMessage | undefined;
  /** The text of what is injected as `REQUEST`. */
  readonly injected: string | undefined;
}

/** What a method saw that handled a message. */
export interface Handled {
  readonly number: number;
  readonly source: InboundMessage['source'];
  readonly method: string;
  readonly instance: object;
  readonly problems: readonly string[];
  readonly request: PerMessage | undefined;
}

/** Of one application. Enhancers have it injected, so that one that Nest did not make has none. */
export class Journal {
  readonly runs: Run[] = [];
  readonly handled: Handled[] = [];
  readonly events: string[] = [];
}

@Injectable({ scope: Scope.REQUEST })
export class PerMessage {
  @Inject(REQUEST) readonly message!: InboundMessage;
}

/** What durable providers inject as `REQUEST`, of a host that is durable too. */
export function payloadOf(tenant: string): string {
  return `${tenant} payload`;
}

/** What a tenant keeps from message to message. */
export class ByTenant implements ContextIdStrategy {
  readonly #tenants = new Map<string, ContextId>();

  attach(contextId: ContextId, request: unknown) {
    const name = tenantOf((request as InboundMessage).text);
    const tenant = this.#tenants.get(name) ?? ContextIdFactory.create();
    this.#tenants.set(name, tenant);
    return {
      resolve: ({ isTreeDurable }: HostComponentInfo) => (isTreeDurable ? tenant : contextId),
      payload: { text: payloadOf(name) },
    };
  }
}

/** Thrown by handlers. */
class Failure extends Error {}

/** One class for each kind: it does what its kind does, to messages that ask for it. */
export function enhancerOf(kind: Kind, level: Value<'level'>, scope: Value<'scope'>): Type {
  @Catch(Failure)
  @Injectable(SCOPES[scope])
  class Enhancer implements CanActivate, PipeTransform, NestInterceptor, ExceptionFilter {
    @Inject(Journal) readonly journal!: Journal;
    readonly request: InboundMessage | undefined;
    readonly perMessage: PerMessage | undefined;
    readonly #made = true;

    canActivate(context: ExecutionContext): boolean {
      const { text } = this.#noteCall(context);
      return this.#made && cueOf(text) !== 'refuse';
    }
    transform(value: unknown): unknown {
      // The params pass it too.
      if (typeof value !== 'string') return value;
      this.#note(value, []);
      return `${value}, piped at ${level}`;
    }
    intercept(context: ExecutionContext, next: CallHandler) {
      this.#noteCall(context);
      return next.handle().pipe(map((answer) => `${answer}, intercepted at ${level}`));
    }
    catch(error: Error, host: ArgumentsHost) {
      this.#noteArguments(host, []);
      return of(`${error.message}, filtered at ${level}`);
    }

    #noteCall(context: ExecutionContext): InboundMessage {
      const place = `${Reflect.get(context.getClass(), 'role')}.${context.getHandler().name}`;
      return this.#noteArguments(context, place === 'desk.answer' ? [] : [`ran for ${place}`]);
    }
    #noteArguments(host: ArgumentsHost, problems: readonly string[]): InboundMessage {
      const [message, context] = host.getArgs<[InboundMessage, HandlerContext]>();
      const type = host.getType<string>();
      const isContext = context?.signal instanceof AbortSignal;
      this.#note(message.text, [
        ...problems,
        ...(type === 'molecule' ? [] : [`the context type is ${type}`]),
        ...(isContext ? [] : ['the second argument is not the context of the message']),
      ]);
      return message;
    }
    #note(text: string, problems: readonly string[]): void {
      const { perMessage: request } = this;
      const injected = (request?.message ?? this.request)?.text;
      this.journal.runs.push({
        kind,
        level,
        number: numberIn(text),
        instance: this,
        problems,
        request,
        injected,
      });
    }
  }
  if (scope === 'durable') Inject(REQUEST)(Enhancer.prototype, 'request');
  if (scope === 'request') Inject(PerMessage)(Enhancer.prototype, 'perMessage');
  return Enhancer;
}

/** Without what pipes added. */
function textIn(text: string): string {
  return text.split(',')[0] ?? '';
}

/** What a `ValidationPipe` makes of params. Those of a task have no message. */
class Params {
  @IsOptional()
  message!: unknown;
}

/** The provider or controller of a unit, with the enhancers that are not global. */
export function hostOf({ name: agent, scope, host, enhancers }: Unit, isValidated: boolean): Type {
  const locals = enhancers.filter(({ level }) => level !== 'useGlobal' && level !== 'APP token');
  const ofParameter = locals
    .filter(({ level }) => level === 'parameter')
    .map(({ kind, level }) => enhancerOf(kind, level, scope));
  class Desk {
    static readonly role = 'desk';
    @Inject(Journal) readonly journal!: Journal;
    readonly perMessage: PerMessage | undefined;

    @OnPeerMessage({ agent })
    @OnUserMessage({ agent })
    @OnTask('delegate_task', { agent })
    answer(
      @MessageText(...ofParameter) text: string,
      @MessageParams() params: Params,
      @Signal() signal: AbortSignal,
      @MessageContext() context: HandlerContext,
      @Message() message: InboundMessage,
      @Peer() peer: MessagePeer,
    ): string {
      // Params of a task are given without the message that A2A adds.
      const hasMessage = message.method !== 'delegate_task';
      const checks: Record<string, boolean> = {
        'the signal was touched': signal instanceof AbortSignal && signal === context.signal,
        'the context was touched': typeof context.stream === 'function' && context.attempt === 1,
        'the message was touched': message.text === textIn(text) && message.raw.id === message.id,
        'the sender was touched': peer.source === message.source,
        'params were not validated': params instanceof Params === isValidated,
        'params were changed': (params.message !== undefined) === hasMessage,
      };
      this.journal.handled.push({
        number: numberIn(text),
        source: message.source,
        method: message.method,
        instance: this,
        problems: Object.keys(checks).filter((problem) => !checks[problem]),
        request: this.perMessage,
      });
      if (cueOf(text) === 'fail') throw new Failure(text);
      return `${text}, answered`;
    }
    @OnAgentEvent('started', { agent })
    started(): void {
      this.journal.events.push(agent);
    }
  }
  const isRequest = host.startsWith('request-scoped');
  const options = isRequest ? { scope: Scope.REQUEST } : {};
  if (isRequest) Inject(PerMessage)(Desk.prototype, 'perMessage');
  if (host.endsWith('controller')) Controller({ ...options, path: 'desk' })(Desk);
  else Injectable(options)(Desk);
  const descriptor = Object.getOwnPropertyDescriptor(Desk.prototype, 'answer') as PropertyDescriptor;
  for (const { kind, level } of locals) {
    if (level === 'parameter') continue;
    const use = DECORATORS[kind](enhancerOf(kind, level, scope) as never);
    if (level === 'class') use(Desk);
    else use(Desk.prototype, 'answer', descriptor);
  }
  return Desk;
}
