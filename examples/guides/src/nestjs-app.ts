import { MessageText, MoleculeModule, OnMessage } from '@molecule-ai/nestjs';
import { Injectable, Module } from '@nestjs/common';

/** A service that the application has anyway. */
@Injectable()
export class OrderBook {
  find(order: string): string {
    return order === 'A-17' ? 'was shipped yesterday' : 'is unknown';
  }
}

/** Answers the messages of the organisation. */
@Injectable()
export class OrderDesk {
  constructor(private readonly orders: OrderBook) {}

  @OnMessage()
  answer(@MessageText() order: string): string {
    return `Order ${order} ${this.orders.find(order)}.`;
  }
}

@Module({
  imports: [MoleculeModule.forRoot({ client: { agentCard: { name: 'orders' } } })], // URL, id and token are in the environment
  providers: [OrderBook, OrderDesk],
})
export class AppModule {}
