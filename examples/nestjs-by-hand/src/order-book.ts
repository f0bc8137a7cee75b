import { Injectable } from '@nestjs/common';

/** An ordinary service of the application; it knows nothing of agents. */
@Injectable()
export class OrderBook {
  readonly #shippedAt = new Map([['A-17', 'yesterday']]);

  async find(order: string): Promise<string> {
    const when = this.#shippedAt.get(order);
    return when === undefined ? `Order ${order} is unknown.` : `Order ${order} was shipped ${when}.`;
  }
}
