import type { InboundMessage } from '@molecule-ai/core';
import { Inject, Injectable, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';

/** A service that closes with the application, as the connection to a database does. */
@Injectable()
export class Stock {
  isClosed = false;
  readonly #counts = new Map([['tea', 7]]);

  count(item: string): number {
    return this.#counts.get(item) ?? 0;
  }

  onModuleDestroy(): void {
    this.isClosed = true;
  }
}

/** Is made for each message. */
@Injectable({ scope: Scope.REQUEST })
export class Journal {
  static entries = 0;
  readonly #entry = ++Journal.entries;

  constructor(@Inject(REQUEST) private readonly message: InboundMessage) {}

  entry(): string {
    return `entry ${this.#entry} of ${this.message.source}`;
  }
}
