import { Injectable, Logger, NotFoundException } from '@nestjs/common';
import { Database } from '../database.ts';
import { CreateOrderDto } from './create-order.dto.ts';

export interface Order {
  readonly id: number;
  readonly item: string;
  readonly quantity: number;
}

/** What the application had before it joined an organisation. */
@Injectable()
export class OrdersService {
  private readonly logger = new Logger(OrdersService.name);

  constructor(private readonly database: Database) {}

  place({ item, quantity }: CreateOrderDto): Order {
    const insert = this.database.connection.prepare('INSERT INTO orders (item, quantity) VALUES (?, ?)');
    const id = Number(insert.run(item, quantity).lastInsertRowid);
    this.logger.log(`Placed ${id}`);
    return { id, item, quantity };
  }

  /** @throws NotFoundException */
  find(id: number): Order {
    const select = this.database.connection.prepare('SELECT id, item, quantity FROM orders WHERE id = ?');
    const order = select.get(id) as Order | undefined;
    if (order === undefined) throw new NotFoundException(`There is no order ${id}`);
    return { ...order };
  }

  /** The latest first. */
  latest(limit: number): Order[] {
    const select = this.database.connection.prepare(
      'SELECT id, item, quantity FROM orders ORDER BY id DESC LIMIT ?',
    );
    return select.all(limit).map((row) => ({ ...row }) as unknown as Order);
  }
}
