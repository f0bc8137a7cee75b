import type { Logger } from '@molecule-ai/core';
import type { ApplicationConfig } from '@nestjs/core';

/** The innermost frames. Longer stacks name enhancers around the one that has thrown. */
const MAX_FRAMES = 8;
const FRAME = /^\s+at (?:async )?([\w$]+)\.(?:canActivate|intercept|catch)\b/;

/** Warns once for each global guard, interceptor or filter that throws a `TypeError` for a message: it may be written for HTTP only. */
export class HttpOnlyHint {
  readonly #config: ApplicationConfig;
  readonly #warned = new Set<string>();

  constructor(config: ApplicationConfig) {
    this.#config = config;
  }

  check(error: unknown, logger: Logger): void {
    if (!(error instanceof TypeError)) return;
    const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
    const name = frames
      .slice(0, MAX_FRAMES)
      .map((frame) => FRAME.exec(frame)?.[1] ?? '')
      .find((each) => each !== '');
    if (name === undefined || this.#warned.has(name) || !this.#names().has(name)) return;
    this.#warned.add(name);
    logger.warn(
      { enhancer: name },
      "A global guard, interceptor or filter threw a TypeError for a message: it may be for HTTP only. Let it pass messages, and nothing else (context.getType() === 'molecule'), or set globalEnhancers: false.",
    );
  }

  /** Of their classes, and of those that these extend: a frame may have either. */
  #names(): Set<string> {
    const config = this.#config;
    const made = [config.getGlobalGuards(), config.getGlobalInterceptors(), config.getGlobalFilters()];
    const scoped = [
      config.getGlobalRequestGuards(),
      config.getGlobalRequestInterceptors(),
      config.getGlobalRequestFilters(),
    ];
    const names = new Set<string>();
    const add = (prototype: unknown): void => {
      for (let each = prototype; each !== null && each !== undefined; each = Object.getPrototypeOf(each)) {
        names.add(String(Reflect.get(each as object, 'constructor')?.name));
      }
    };
    for (const enhancer of made.flat()) add(Object.getPrototypeOf(enhancer));
    for (const { metatype } of scoped.flat()) {
      if (typeof metatype === 'function') add(Reflect.get(metatype, 'prototype'));
    }
    return names;
  }
}
