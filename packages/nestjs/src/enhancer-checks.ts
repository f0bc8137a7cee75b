import { ConfigurationError } from '@molecule-ai/core';
import type { ModulesContainer } from '@nestjs/core';
import { ENHANCER_KEYS, PARAMETER_KEY, PARAMETERS } from './decorators.ts';
import { type Handler, isScoped } from './handler-discovery.ts';
import { isValidationPipe } from './handler-warnings.ts';
import { globalWrappers } from './message-enhancers.ts';

/**
 * Nest silently leaves out a guard, pipe, interceptor or filter that its module has not made, and parameters of other kinds of calls. It
 * makes those of controllers and of providers by their class, some versions also of `useClass`, and none of factories and values. One that is
 * made for each message or host it runs without its constructor, where it was made for another class only.
 * @throws ConfigurationError naming what would be left out, and the method.
 */
export function checkHandler({ module, wrapper, method, methodName, place }: Handler): void {
  const hostClass = Object(wrapper.isNotMetatype ? wrapper.instance?.constructor : wrapper.metatype);
  const parameters: Record<string, Parameter> =
    Reflect.getMetadata(PARAMETER_KEY, hostClass, methodName) ?? {};
  const listed = [
    ...ENHANCER_KEYS.flatMap((key) => [
      ...(Reflect.getMetadata(key, hostClass) ?? []),
      ...(Reflect.getMetadata(key, method) ?? []),
    ]),
    ...Object.values(parameters).flatMap(({ pipes }) => pipes ?? []),
  ];
  const classes = listed.filter((enhancer) => typeof enhancer === 'function');
  const made = (wrapper.getEnhancersMetadata() ?? []).map(({ metatype }) => metatype);
  const missing = classes.find((enhancer) => {
    const injectable = module.injectables.get(enhancer);
    return injectable === undefined || (isScoped(injectable) && !made.includes(enhancer));
  });
  if (missing !== undefined) {
    throw new ConfigurationError(
      `Nest does not run ${missing.name} for ${place}: it makes no guards, pipes, interceptors and filters for this provider.`,
      {
        hint: 'Provide the class itself, without a factory, a value or another token; or pass instances to the decorator.',
      },
    );
  }
  // On Nest 10 a provider does not always become one that is made for each message, when its enhancers are.
  const incomplete = classes.find(
    (enhancer) =>
      wrapper.isDependencyTreeStatic() && !module.injectables.get(enhancer)?.isDependencyTreeStatic(),
  );
  if (incomplete !== undefined) {
    throw new ConfigurationError(
      `Nest gives ${incomplete.name} of ${place} nothing of what it injects that is made for each message.`,
      {
        hint: `Decorate ${incomplete.name} by @Injectable({ scope: Scope.REQUEST }), or use Nest 11 or later.`,
      },
    );
  }
  const types: unknown = Reflect.getMetadata('design:paramtypes', hostClass.prototype, methodName);
  for (const { index, data, pipes = [] } of Object.values(parameters)) {
    const type: unknown = Array.isArray(types) ? types[index] : undefined;
    const isText = typeof type !== 'function' || TEXTS.includes(type);
    if (data !== PARAMETERS.asText || isText || !pipes.every(isValidationPipe)) continue;
    throw new ConfigurationError(
      `@MessageText() of ${place} is a ${type.name}: a text is given, and nothing validates it.`,
      {
        hint: 'Take a string, use @MessageData() for structured data, @MessageParams() for the params of a task, or pass a pipe or a schema that reads the text: @MessageText(schema).',
      },
    );
  }
  if (Object.values(parameters).every(({ factory }) => typeof factory === 'function')) return;
  throw new ConfigurationError(
    `${place} has a parameter decorator for another kind of call, such as @Body() for HTTP.`,
    {
      hint: 'Use @MessageText(), @MessageParams(), @Peer(), @MessageContext() and @Signal(), and another method for the other calls.',
    },
  );
}

/** Classes of a parameter that is a text, and what TypeScript emits for types that have no class. */
const TEXTS: readonly unknown[] = [String, Object, Function];

/** What Nest keeps of a parameter decorator. */
interface Parameter {
  readonly index: number;
  readonly data?: unknown;
  readonly factory?: unknown;
  readonly pipes?: readonly unknown[] | undefined;
}

/**
 * Before 11.2 Nest leaves out global ones of the default scope that need something that is made for each message, or runs them without
 * their constructor. Later versions refuse them themselves.
 * @throws ConfigurationError naming the token.
 */
export function checkGlobalEnhancers(modules: ModulesContainer): void {
  const wrong = globalWrappers(modules).find(
    ({ wrapper, isMadeOnce }) => isMadeOnce && !wrapper.isDependencyTreeStatic(),
  );
  if (wrong === undefined) return;
  throw new ConfigurationError(
    `Nest does not run a provider of ${wrong.token}: it has the default scope, and needs something that is made for each message.`,
    {
      hint: `Give it useClass or useFactory and its scope: { provide: ${wrong.token}, scope: Scope.REQUEST, … }.`,
    },
  );
}
