import { Injectable } from '@nestjs/common';

/** What the microservice works with. */
@Injectable()
export class StockService {
  readonly #shelves = new Map([
    ['tea', 12],
    ['milk', 5],
  ]);

  /** Takes them from the shelf; returns how many are left, or `null` when there are too few. */
  take(item: string, quantity: number): number | null {
    const left = (this.#shelves.get(item) ?? 0) - quantity;
    if (left < 0) return null;
    this.#shelves.set(item, left);
    return left;
  }

  list(): string[] {
    return [...this.#shelves].map(([item, count]) => `${count} × ${item}`);
  }
}
