import { AsyncLocalStorage } from 'node:async_hooks';
import type { HandlerContext } from '@molecule-ai/core';
import type { PipeTransform } from '@nestjs/common';
import {
  APP_FILTER,
  APP_GUARD,
  APP_INTERCEPTOR,
  APP_PIPE,
  ApplicationConfig,
  ExternalContextCreator,
  type ModulesContainer,
  type NestContainer,
} from '@nestjs/core';
import { PARAMETERS } from './decorators.ts';
import { toAnswer } from './handler-answer.ts';
import type { Handler, Wrapper } from './handler-discovery.ts';

/** The context of the message that is handled, for {@link ExternalContextCreator.transformToResult}, which gets a value only. */
export const handling = new AsyncLocalStorage<HandlerContext>();

/** The `ExternalContextCreator` of one method. Its own: that of the application keeps metadata by the names of class and method. */
export function createCreator(
  { module }: Handler,
  modules: ModulesContainer,
  applicationConfig: ApplicationConfig,
): ExternalContextCreator {
  const container = { applicationConfig, getModules: () => modules };
  const creator = ExternalContextCreator.fromContainer(container as object as NestContainer);
  // Nest looks for a class among providers only, and then finds none of the enhancers of a controller.
  const moduleKey = [...modules].find(([, other]) => other === module)?.[0] ?? '';
  creator.getContextModuleKey = () => moduleKey;
  // Inside of what Nest guards by filters, so that they get errors in the middle of a stream.
  creator.transformToResult = async (value: unknown) => {
    const context = handling.getStore();
    return context === undefined ? value : toAnswer(value, context);
  };
  const apply = creator.getParamValue.bind(creator) as ApplyPipes;
  const applyPipes: ApplyPipes = async (value, metadata, pipes) => {
    const { data } = metadata;
    if (data === PARAMETERS.asItIs) return value;
    if (data === PARAMETERS.asText) return apply(value, { ...metadata, data: undefined }, pipes);
    if (data !== PARAMETERS.asBody) return apply(value, metadata, pipes);
    return apply(value, { ...metadata, data: undefined, type: BODY }, pipes);
  };
  creator.getParamValue = applyPipes as typeof creator.getParamValue;
  rethrowUnhandled(creator);
  return creator;
}

/**
 * Nest logs an error that no filter handles, with its message as it is: texts of peers, and lines and colors in them. Core logs it
 * without them, so here it is rethrown only. All versions of Nest treat what a filter returns alike then.
 */
function rethrowUnhandled(creator: ExternalContextCreator): void {
  const contexts: FilterContexts = Reflect.get(creator, 'filtersContextCreator');
  const create = contexts.create.bind(contexts);
  contexts.create = (...method) => {
    const handler = create(...method);
    handler.next = async (error, host) => {
      const answer = await naming(error, () => handler.invokeCustomFilters(error, host));
      if (answer === undefined || answer === null) throw error;
      return answer;
    };
    return handler;
  };
}

/** An error of a filter hides the one that it was called with, which becomes its cause for the log. */
async function naming(original: unknown, filter: () => unknown): Promise<unknown> {
  try {
    return await filter();
  } catch (error) {
    if (
      error instanceof Error &&
      error !== original &&
      error.cause === undefined &&
      !isCauseOf(error, original)
    ) {
      // Without an effect for one that is frozen.
      Reflect.defineProperty(error, 'cause', { value: original, configurable: true, writable: true });
    }
    throw error;
  }
}

function isCauseOf(error: Error, other: unknown): boolean {
  for (let each = other, depth = 0; each instanceof Error && depth < 10; each = each.cause, depth += 1) {
    if (each === error) return true;
  }
  return false;
}

/** What Nest has for the filters of a method; it does not export the classes. */
interface FilterContexts {
  create(...method: unknown[]): {
    next(error: unknown, host: unknown): unknown;
    invokeCustomFilters(error: unknown, host: unknown): unknown;
  };
}

/** `getParamValue`, whose types are not the same in each version of Nest. */
type ApplyPipes = (
  value: unknown,
  metadata: { readonly metatype?: unknown; readonly type: unknown; readonly data: unknown },
  pipes: readonly PipeTransform[],
) => Promise<unknown>;

/** Nest's number of the body of a request, which is also that of the payload of a microservice. */
const BODY = 3;

export interface ScopedEnhancer {
  readonly kind: 'guards' | 'pipes' | 'interceptors' | 'filters';
  readonly token: string;
}

/** Those global ones that are made for each message. */
export function scopedEnhancers(config: ApplicationConfig): ScopedEnhancer[] {
  const of = (kind: ScopedEnhancer['kind'], wrappers: readonly Pick<Wrapper, 'token'>[]) =>
    wrappers.map(({ token }) => ({ kind, token: token as string }));
  return [
    ...of('guards', config.getGlobalRequestGuards()),
    ...of('pipes', config.getGlobalRequestPipes()),
    ...of('interceptors', config.getGlobalRequestInterceptors()),
    ...of('filters', config.getGlobalRequestFilters()),
  ];
}

/** The global enhancers of an application context of Nest before 10.2, which does not give its configuration to its modules. */
export function configOf(modules: ModulesContainer): ApplicationConfig {
  const config = new ApplicationConfig();
  const adders = {
    [APP_GUARD]: ['addGlobalGuard', 'addGlobalRequestGuard'],
    [APP_PIPE]: ['addGlobalPipe', 'addGlobalRequestPipe'],
    [APP_INTERCEPTOR]: ['addGlobalInterceptor', 'addGlobalRequestInterceptor'],
    [APP_FILTER]: ['addGlobalFilter', 'addGlobalRequestFilter'],
  } as const;
  for (const { wrapper, token, isMadeOnce } of globalWrappers(modules)) {
    const add = adders[token][isMadeOnce ? 0 : 1];
    config[add]((isMadeOnce ? wrapper.instance : wrapper) as never);
  }
  return config;
}

interface GlobalWrapper {
  readonly wrapper: Wrapper;
  readonly token: (typeof GLOBAL_TOKENS)[number];
  /** Whether it was provided as one that is. */
  readonly isMadeOnce: boolean;
}

const GLOBAL_TOKENS = [APP_GUARD, APP_PIPE, APP_INTERCEPTOR, APP_FILTER] as const;

/** What modules provide by `APP_GUARD` and the like, to which Nest gives tokens of their own. */
export function globalWrappers(modules: ModulesContainer): GlobalWrapper[] {
  const wrappers = [...modules.values()].flatMap(({ providers, injectables }) => [
    ...[...providers.values()].map((wrapper) => ({ wrapper, isMadeOnce: true })),
    ...[...injectables.values()].map((wrapper) => ({ wrapper, isMadeOnce: false })),
  ]);
  return wrappers.flatMap(({ wrapper, isMadeOnce }) => {
    const token = GLOBAL_TOKENS.find((name) => String(wrapper.token).startsWith(`${name} (UUID`));
    return token === undefined ? [] : [{ wrapper, token, isMadeOnce }];
  });
}

/** The global enhancers of the application, those that are made for each message as instances. */
export class MessageEnhancers extends ApplicationConfig {
  readonly #config: ApplicationConfig;
  #enhancers: readonly ScopedEnhancer[] = [];
  #instances: readonly unknown[] = [];

  constructor(config: ApplicationConfig) {
    super();
    this.#config = config;
  }

  /** For the call of `create` that follows at once. */
  use(enhancers: readonly ScopedEnhancer[], instances: readonly unknown[]): void {
    this.#enhancers = enhancers;
    this.#instances = instances;
  }

  override getGlobalGuards() {
    return [...this.#config.getGlobalGuards(), ...this.#scoped('guards')];
  }

  override getGlobalPipes() {
    return [...this.#config.getGlobalPipes(), ...this.#scoped('pipes')];
  }

  override getGlobalInterceptors() {
    return [...this.#config.getGlobalInterceptors(), ...this.#scoped('interceptors')];
  }

  override getGlobalFilters() {
    return [...this.#config.getGlobalFilters(), ...this.#scoped('filters')];
  }

  // biome-ignore lint/suspicious/noExplicitAny: each kind has a type of its own
  #scoped(kind: ScopedEnhancer['kind']): any[] {
    return this.#instances.filter((_instance, index) => this.#enhancers[index]?.kind === kind);
  }
}
