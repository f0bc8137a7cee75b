import {
  createRemoteAgent,
  type InboundMessage,
  type RemoteAgent,
  RemoteAgentClient,
  type RemoteAgentClientOptions,
} from '@molecule-ai/core';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { OrderBook } from './order-book.ts';

/** Injection token of the options that the application passes to its client. */
export const WORKSPACE = Symbol('WORKSPACE');

/** The workspace of this application: starts with it, answers through its services, drains when it closes. */
@Injectable()
export class OrderAgent implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #client: RemoteAgentClient;
  readonly #agent: RemoteAgent;

  constructor(
    @Inject(WORKSPACE) workspace: RemoteAgentClientOptions,
    @Inject(OrderBook) private readonly orders: OrderBook,
  ) {
    this.#client = new RemoteAgentClient({ ...workspace, agentCard: { name: 'orders' } });
    this.#agent = createRemoteAgent({ client: this.#client, onMessage: (message) => this.answer(message) });
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.#agent.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.#agent.stop();
    await this.#client.close();
  }

  private async answer(message: InboundMessage): Promise<string> {
    const order = /\b[A-Z]-\d+\b/.exec(message.text)?.[0];
    return order === undefined ? 'Which order do you mean?' : this.orders.find(order);
  }
}
