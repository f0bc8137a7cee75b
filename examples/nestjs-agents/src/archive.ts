import { Injectable, type OnModuleDestroy } from '@nestjs/common';

/** What both agents publish in. Like a database, it is closed when the application ends. */
@Injectable()
export class Archive implements OnModuleDestroy {
  readonly #articles: string[] = [];
  #isOpen = true;

  get isOpen(): boolean {
    return this.#isOpen;
  }

  add(article: string): void {
    this.#requireOpen();
    this.#articles.push(article);
  }

  list(): readonly string[] {
    this.#requireOpen();
    return [...this.#articles];
  }

  onModuleDestroy(): void {
    this.#isOpen = false;
  }

  #requireOpen(): void {
    if (!this.#isOpen) throw new Error('The archive is closed.');
  }
}
