import {
  type AgentEventName,
  type AgentListener,
  ConfigurationError,
  type HandlerAnswer,
  type HandlerContext,
  type InboundMessage,
  MessageFailure,
  MoleculeError,
  type RemoteAgent,
} from '@molecule-ai/core';
import {
  type CustomTransportStrategy,
  type MessageHandler,
  RpcException,
  Server,
} from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { AGENT_EVENTS, isAgentEvent } from '../agent-events.ts';
import { toAnswer, toFailure } from '../handler-answer.ts';
import type { MessageStrategy } from '../molecule-options.ts';
import { MoleculeRpcContext } from './rpc-context.ts';
import { callErrorOf } from './rpc-exception.ts';

/** The transport of this strategy, as decorators take it to choose one: `@MessagePattern('delegate_task', MOLECULE_TRANSPORT)`. */
export const MOLECULE_TRANSPORT: unique symbol = Symbol.for('@molecule-ai/nestjs/transport');

/** The pattern of messages that no other pattern handles: `@MessagePattern(ANY_MESSAGE)`. */
export const ANY_MESSAGE = '*';

/** What the default filter of Nest makes of an error that was not written for the caller. */
const UNKNOWN_ERROR = 'Internal server error';

/**
 * The messages of an agent for `@MessagePattern` and its events for `@EventPattern`, run by `@nestjs/microservices`. The agent is that of
 * a `MoleculeModule`, which is given the same object.
 *
 * A pattern is the method of JSON-RPC, `message.method`, such as `delegate_task` or `message/send`, or {@link ANY_MESSAGE}; of events the name. The
 * payload is the message, and of an event its argument, or the list of several. `@Ctx()` is a {@link MoleculeRpcContext}.
 *
 * @example
 * export const molecule = new MoleculeStrategy();
 * // in the module: MoleculeModule.forRoot({ strategy: molecule })
 * const app = await NestFactory.createMicroservice(AppModule, { strategy: molecule });
 */
export class MoleculeStrategy extends Server implements CustomTransportStrategy, MessageStrategy {
  override transportId = MOLECULE_TRANSPORT;
  #agent: RemoteAgent | undefined;
  #listening = Promise.withResolvers<void>();
  #unlisten: (() => void)[] = [];

  /** Resolves when the microservice listens. */
  get listening(): Promise<void> {
    return this.#listening.promise;
  }

  /** The patterns of messages, and {@link ANY_MESSAGE}. */
  get methods(): readonly string[] {
    const all = [...this.messageHandlers];
    return all.filter(([, { isEventHandler }]) => isEventHandler !== true).map(([pattern]) => pattern);
  }

  /** Called by the module. @throws ConfigurationError while another agent runs. */
  attach(agent: RemoteAgent): void {
    const state = this.#agent?.state ?? 'stopped';
    if (state !== 'stopped' && state !== 'idle') {
      throw new ConfigurationError('This MoleculeStrategy has an agent that runs.', {
        hint: 'Close the application that has it, or make a new MoleculeStrategy().',
      });
    }
    if (this.#agent !== undefined) this.#reset();
    this.#agent = agent;
  }

  /** Called by the module for messages that no decorated method handles. */
  handle(message: InboundMessage, context: HandlerContext): Promise<HandlerAnswer> | undefined {
    const handler = [message.method, ANY_MESSAGE]
      .map((pattern) => this.messageHandlers.get(pattern))
      .find((found) => found !== undefined && found.isEventHandler !== true);
    return handler === undefined ? undefined : run(handler, message, context);
  }

  /** @throws ConfigurationError for a pattern that no message or event has. */
  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    const name = this.normalizePattern(pattern as string);
    if (isEventHandler && !isAgentEvent(name)) {
      throw new ConfigurationError(`@EventPattern(${JSON.stringify(name)}): an agent has no such event.`, {
        hint: `The events are ${AGENT_EVENTS}. For others give the decorator the transport that they come by.`,
      });
    }
    if (!isEventHandler && (typeof pattern !== 'string' || name.trim() === '')) {
      throw new ConfigurationError(`@MessagePattern(${name}): a message has the name of its method only.`, {
        hint: "Name the method of JSON-RPC, such as 'delegate_task' or 'message/send', or '*' for all others. For other transports give the decorator the transport.",
      });
    }
    const other = this.messageHandlers.get(name);
    if (other !== undefined && !(isEventHandler && other.isEventHandler === true)) {
      throw new ConfigurationError(`Two methods have the pattern ${JSON.stringify(name)}.`, {
        hint: 'Remove one, or give one of them another pattern. Several methods can have one event.',
      });
    }
    super.addHandler(pattern, callback, isEventHandler, extras);
  }

  /** Passes the events of the agent on; the module starts the agent. */
  override listen(callback: (error?: unknown) => void): void {
    const agent = this.#agent;
    if (agent === undefined) {
      callback(
        new ConfigurationError('This MoleculeStrategy has no agent.', {
          hint: 'Pass the same object to MoleculeModule.forRoot({ strategy }), and import that module.',
        }),
      );
      return;
    }
    this.#stopListening();
    for (const [name, { isEventHandler }] of this.messageHandlers) {
      if (isEventHandler === true) this.#unlisten.push(this.#listenTo(agent, name as AgentEventName));
    }
    this.#listening.resolve();
    callback();
  }

  /** Stops the agent: it takes no more messages, and waits for its handlers. */
  override async close(): Promise<void> {
    const agent = this.#agent;
    await agent?.stop();
    this.#reset();
  }

  /** Listens to an event of the agent. @throws ConfigurationError for one that agents do not have. */
  override on(event: string, callback: unknown): void {
    if (!isAgentEvent(event)) {
      throw new ConfigurationError(`An agent has no event ${JSON.stringify(event)}.`, {
        hint: `The events are ${AGENT_EVENTS}.`,
      });
    }
    this.unwrap<RemoteAgent>().on(event as AgentEventName, callback as AgentListener<AgentEventName>);
  }

  /** The agent. @throws ConfigurationError before the module has one. */
  override unwrap<T>(): T {
    if (this.#agent !== undefined) return this.#agent as T;
    throw new ConfigurationError('This MoleculeStrategy has no agent.', {
      hint: 'Pass it to MoleculeModule.forRoot({ strategy }), and import that module.',
    });
  }

  /** Not by `handleEvent`, which drops the errors that filters pass on: rejects with them, and the agent logs them. */
  #listenTo(agent: RemoteAgent, event: AgentEventName): () => void {
    return agent.on(event, async (...values) => {
      const data = values.length > 1 ? values : values[0];
      try {
        const handler = this.getHandlerByPattern(event);
        const handled: unknown = await handler?.(data, new MoleculeRpcContext([] as never));
        if (isObservable(handled)) await lastValueFrom(handled, { defaultValue: undefined });
      } catch (error) {
        // Nest has logged it.
        if (Reflect.get(Object(error), 'message') === UNKNOWN_ERROR) return;
        throw failureOf(error);
      }
    });
  }

  #stopListening(): void {
    for (const unlisten of this.#unlisten) unlisten();
    this.#unlisten = [];
  }

  #reset(): void {
    this.#stopListening();
    this.messageHandlers.clear();
    this.#agent = undefined;
    this.#listening = Promise.withResolvers();
  }
}

async function run(
  handler: MessageHandler,
  message: InboundMessage,
  context: HandlerContext,
): Promise<HandlerAnswer> {
  try {
    return await toAnswer(await handler(message, new MoleculeRpcContext([message, context])), context);
  } catch (error) {
    throw failureOf(error);
  }
}

/**
 * What the filters of Nest throw: the content of an `RpcException`, or an object that says nothing. `MessageExceptionFilter` throws the
 * exception itself.
 */
function failureOf(error: unknown): unknown {
  const isPassedOn = error instanceof RpcException;
  if (error instanceof Error && !isPassedOn) return error;
  const content = isPassedOn ? error.getError() : error;
  const callError = callErrorOf(content);
  const { message, code, isRetryable } = Object(content) as Partial<Record<string, unknown>>;
  if (callError !== undefined || isRetryable === true) return generalError({ cause: callError ?? error });
  if (!isPassedOn && message === UNKNOWN_ERROR) {
    return generalError({ hint: 'The log of Nest has the error, by RpcExceptionsHandler.' });
  }
  const failure = toFailure(isPassedOn ? error : new RpcException(error as object));
  if (typeof code !== 'string' || !MessageFailure.isInstance(failure)) return failure;
  return new MessageFailure(failure.textForSender, { code, cause: failure.cause });
}

function generalError(why: { readonly cause: unknown } | { readonly hint: string }): MoleculeError {
  return new MoleculeError('A handler of the microservice failed.', { code: 'handler_failed', ...why });
}
