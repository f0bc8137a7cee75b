import { ValidationPipe } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import { ENHANCER_KEYS, PARAMETER_KEY, PARAMETERS } from './decorators.ts';
import type { Handler } from './handler-discovery.ts';

/** By which the platform and other agents take a message, as messages name them. */
const METHODS: readonly string[] = [
  'message/send',
  'message/stream',
  'message/sendSubscribe',
  'delegate_task',
  '*',
];

/** What is wrong with a handler for messages of this method of JSON-RPC, in one line for the log. */
export function methodWarning(method: string, handler: string): string | undefined {
  if (METHODS.includes(method)) return undefined;
  return `${handler} gets no messages of the platform: it and agents refuse methods other than message/send, which SendMessage arrives as, message/stream and delegate_task.`;
}

/** Types that a `ValidationPipe` lets pass as they are; TypeScript emits `Object` for what has no class at run time. */
const NOT_VALIDATED: readonly unknown[] = [undefined, Object, Function];

/**
 * What TypeScript accepts and does not work when the application runs, in one line for the log: a `ValidationPipe` that applies to
 * `@MessageParams()` and validates nothing, because the type of the parameter is not a class at run time.
 */
export function validationWarning(
  handler: Handler,
  config: ApplicationConfig | undefined,
): string | undefined {
  const { wrapper, method, methodName, place } = handler;
  const hostClass = Object(wrapper.isNotMetatype ? wrapper.instance?.constructor : wrapper.metatype);
  const own = ENHANCER_KEYS.flatMap((key) =>
    [hostClass, method].flatMap((on) => Reflect.getMetadata(key, on) ?? []),
  );
  const parameters: Record<string, Parameter> =
    Reflect.getMetadata(PARAMETER_KEY, hostClass, methodName) ?? {};
  const types: unknown = Reflect.getMetadata('design:paramtypes', hostClass.prototype, methodName);
  const global = config === undefined ? [] : globalPipes(config);
  const isUnchecked = Object.values(parameters).some(({ index, data, pipes = [] }) => {
    const type = Array.isArray(types) ? types[index] : undefined;
    if (data !== PARAMETERS.asBody || !NOT_VALIDATED.includes(type)) return false;
    // With a pipe of its own besides, such as a schema, the parameter is checked by that.
    if (pipes.some((pipe) => !isValidationPipe(pipe))) return false;
    const applied = [...own, ...pipes, ...global].filter(isValidationPipe);
    return (
      applied.length > 0 && !applied.some((pipe) => Reflect.get(Object(pipe), 'expectedType') !== undefined)
    );
  });
  if (!isUnchecked) return undefined;
  return `The ValidationPipe does not validate @MessageParams() of ${place}: the type of the parameter is not a class at run time. Import the class without \`type\`, or pass a schema: @MessageParams(schema).`;
}

/** What Nest keeps of a parameter decorator. */
interface Parameter {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes?: readonly unknown[] | undefined;
}

function globalPipes(config: ApplicationConfig): unknown[] {
  return [...config.getGlobalPipes(), ...config.getGlobalRequestPipes().map(({ metatype }) => metatype)];
}

export function isValidationPipe(pipe: unknown): boolean {
  return typeof pipe === 'function'
    ? pipe === ValidationPipe || pipe.prototype instanceof ValidationPipe
    : pipe instanceof ValidationPipe;
}
