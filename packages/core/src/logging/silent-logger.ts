import type { Logger } from './logger.ts';

const nothing = (): void => {};

/** The default: a library is quiet unless it is told where to write. */
export const silentLogger: Logger = Object.freeze({
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
});
