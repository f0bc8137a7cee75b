import type { PlatformLogger } from './logging/logger.ts';

/** What has been opened, to be closed again in reverse order. A step that fails does not keep the others from it. */
export class Closers {
  readonly #steps: { name: string; close: () => void | Promise<void> }[] = [];
  readonly #logger: PlatformLogger;

  constructor(logger: PlatformLogger) {
    this.#logger = logger;
  }

  add(name: string, close: () => void | Promise<void>): void {
    this.#steps.push({ name, close });
  }

  async closeAll(): Promise<void> {
    for (const { name, close } of this.#steps.splice(0).reverse()) {
      try {
        await close();
      } catch (error) {
        this.#logger.error({ step: name, reason: String(error) }, 'A step of stopping failed.');
      }
    }
  }
}
