import {
  type AnswerHandler,
  type HandlerAnswer,
  type HandlerContext,
  handleSkill,
  type InboundAnswer,
  type InboundMessage,
  MessageFailure,
  type MessageHandler,
  type Skill,
} from '@molecule-ai/core';
import { bySkill } from '@molecule-ai/core/adapter-kit';
import {
  ApplicationConfig,
  type ContextId,
  ContextIdFactory,
  type ExternalContextCreator,
  ModuleRef,
  type ModulesContainer,
} from '@nestjs/core';
import { AbortWait } from './abort-wait.ts';
import { MOLECULE_CONTEXT, PARAMETER_KEY } from './decorators.ts';
import { withoutSecrets } from './failure-secrets.ts';
import { toAnswer, toFailure } from './handler-answer.ts';
import { type Handler, isScoped, MessageRoutes } from './handler-discovery.ts';
import { HttpOnlyHint } from './http-only-hint.ts';
import {
  createCreator,
  handling,
  MessageEnhancers,
  type ScopedEnhancer,
  scopedEnhancers,
} from './message-enhancers.ts';
import type { MessageStrategy } from './molecule-options.ts';

/** Runs the methods that handle the messages of one agent, when the application has started. Without any it ends each message as failed. */
export class MessageDispatcher {
  #routes = new MessageRoutes<MessageMethod>();
  #handlers: MessageHandler = () => null;
  #strategy: MessageStrategy | undefined;
  #isStarted = false;
  readonly #started = Promise.withResolvers<void>();
  #hasWarned = false;

  /** Call when the application has started: with the methods, and with what handles the messages that none of them does. */
  use(routes: MessageRoutes<MessageMethod>, strategy?: MessageStrategy): void {
    this.#routes = routes;
    this.#strategy = strategy;
    const skills = routes.skills.map(({ skill, route }) =>
      handleSkill(skill as Skill<undefined, undefined>, (message, context) =>
        route.run(message as InboundMessage, context),
      ),
    );
    this.#handlers = bySkill(skills, (message, context) => this.#handleOther(message, context));
    this.#isStarted = true;
    this.#started.resolve();
  }

  /** The handler of the agent. */
  get onMessage(): MessageHandler {
    const handle = (message: InboundMessage, context: HandlerContext) => this.#handle(message, context);
    // The methods are known when the application has started.
    return Object.defineProperty(handle, 'onAnswer', { get: () => this.#answerHandler() });
  }

  async #handle(message: InboundMessage, context: HandlerContext): Promise<HandlerAnswer> {
    if (!this.#isStarted) await this.#waitForStart(context);
    return this.#run(context, async () => this.#handlers(message, context));
  }

  #handleOther(message: InboundMessage, context: HandlerContext): Promise<HandlerAnswer> {
    const method = this.#routes.find(message);
    return method?.run(message, context) ?? this.#strategy?.handle(message, context) ?? noHandler();
  }

  /** What handles answers, of the kinds that methods handle. Before the start of the application all of them wait. */
  #answerHandler(): AnswerHandler {
    const handle: AnswerHandler = async (answer, context) => {
      if (!this.#isStarted) await this.#waitForStart(context);
      return this.#run(
        context,
        () => this.#routes.findAnswer(answer.kind)?.run(answer.message, context, answer) ?? noHandler(),
      );
    };
    const handled = (['question', 'late'] as const).filter((kind) => this.#routes.findAnswer(kind));
    return Object.assign(handle, { kinds: this.#isStarted ? handled : undefined });
  }

  async #run(context: HandlerContext, handle: () => Promise<HandlerAnswer>): Promise<HandlerAnswer> {
    try {
      return await handle();
    } catch (error) {
      throw await withoutSecrets(toFailure(error), context);
    }
  }

  /** Somebody may have started the agent before. @throws the reason of the signal. */
  async #waitForStart({ signal, logger }: HandlerContext): Promise<void> {
    if (!this.#hasWarned) {
      this.#hasWarned = true;
      logger.warn(
        {},
        'The agent was started before the application: its messages wait for app.init() or app.listen().',
      );
    }
    const wait = new AbortWait(signal);
    await wait.for(this.#started.promise);
    wait.end();
    signal.throwIfAborted();
  }
}

function noHandler(): never {
  throw new MessageFailure('This agent does not handle messages of this kind.', { code: 'no_handler' });
}

/** What methods of messages need of their application. */
export interface NestParts {
  readonly modules: ModulesContainer;
  readonly config: ApplicationConfig;
  /** Any one: it resolves what is registered with the whole application. */
  readonly moduleRef: ModuleRef;
  readonly globalEnhancers: boolean;
}

type Target = (
  message: InboundMessage,
  context: HandlerContext,
  answer: InboundAnswer | undefined,
) => Promise<unknown>;

/**
 * One decorated method, run by Nest: guards, pipes, interceptors and filters of the application, the class and the method. What it
 * calls is made once, unless something is made for each message: the host, what it injects, or one of these.
 */
export class MessageMethod {
  readonly place: string;
  readonly #handler: Handler;
  readonly #parts: NestParts;
  readonly #enhancers: MessageEnhancers;
  readonly #creator: ExternalContextCreator;
  /** Made for each message, though the host is not. */
  readonly #scoped: readonly ScopedEnhancer[];
  readonly #isHostScoped: boolean;
  readonly #hint: HttpOnlyHint;
  readonly #static: Target | undefined;

  constructor(handler: Handler, parts: NestParts) {
    this.place = handler.place;
    this.#handler = handler;
    this.#parts = parts;
    this.#enhancers = new MessageEnhancers(parts.globalEnhancers ? parts.config : new ApplicationConfig());
    this.#creator = createCreator(handler, parts.modules, this.#enhancers);
    this.#scoped = parts.globalEnhancers ? scopedEnhancers(parts.config) : [];
    this.#hint = new HttpOnlyHint(parts.globalEnhancers ? parts.config : new ApplicationConfig());
    const { wrapper } = handler;
    this.#isHostScoped = isScoped(wrapper);
    if (!this.#isHostScoped && this.#scoped.length === 0) {
      this.#static = this.#create(wrapper.instance as object, undefined, []);
    }
  }

  async run(
    message: InboundMessage,
    context: HandlerContext,
    answer?: InboundAnswer,
  ): Promise<HandlerAnswer> {
    const target = this.#static ?? (await this.#createFor(message));
    try {
      const result = await handling.run(context, () => target(message, context, answer));
      // A filter may have made an Observable.
      return await toAnswer(result, context);
    } catch (error) {
      this.#hint.check(error, context.logger);
      throw error;
    }
  }

  async #createFor(message: InboundMessage): Promise<Target> {
    const { moduleRef } = this.#parts;
    const { wrapper } = this.#handler;
    // Without the names of properties: Nest would take `message.raw` for the request of an HTTP adapter.
    const contextId: ContextId = ContextIdFactory.getByRequest(
      message as object as Record<string, unknown>,
      [],
    );
    const request: unknown = wrapper.isDependencyTreeDurable() ? contextId.payload : message;
    moduleRef.registerRequestByContextId(request, contextId);
    const [host, ...instances] = await Promise.all([
      this.#isHostScoped ? resolveHost(this.#handler, contextId) : wrapper.instance,
      ...this.#scoped.map(({ token }) => moduleRef.resolve(token, contextId, { strict: false })),
    ]);
    // What belongs to a static host was made with it.
    return this.#create(host as object, this.#isHostScoped ? contextId : undefined, instances);
  }

  #create(host: object, contextId: ContextId | undefined, scoped: readonly unknown[]): Target {
    const { method, methodName, wrapper } = this.#handler;
    this.#enhancers.use(this.#scoped, scoped);
    return this.#creator.create(
      host,
      method,
      methodName,
      PARAMETER_KEY,
      { exchangeKeyForValue: () => undefined },
      contextId,
      wrapper.id,
      { guards: true, interceptors: true, filters: true },
      MOLECULE_CONTEXT,
    ) as Target;
  }
}

/** Calls the method itself, for events. */
export async function callMethod(handler: Handler, values: readonly unknown[]): Promise<unknown> {
  const { method, wrapper } = handler;
  const host = isScoped(wrapper) ? await resolveHost(handler, ContextIdFactory.create()) : wrapper.instance;
  return method.apply(host, [...values]);
}

function resolveHost({ module, wrapper }: Handler, contextId: ContextId): Promise<unknown> {
  const moduleRef = module.getProviderByKey<ModuleRef>(ModuleRef).instance;
  return moduleRef.resolve(wrapper.token as string, contextId, { strict: true });
}
