import type { HandlerContext } from '@molecule-ai/core';
import {
  MessageContext,
  MessageParams,
  MessageText,
  MoleculeService,
  OnPeerMessage,
  OnTask,
  OnUserMessage,
} from '@molecule-ai/nestjs';
import { ConflictException, Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Environment } from '../environment.ts';
import { CreateOrderDto } from '../orders/create-order.dto.ts';
import { type Order, OrdersService } from '../orders/orders.service.ts';
import { type OrderCommand, OrderCommandPipe } from './order-command.pipe.ts';

/** Answers the messages of the organisation, by the same service as the REST routes. */
@Injectable()
export class OrderDesk {
  constructor(
    private readonly orders: OrdersService,
    private readonly molecule: MoleculeService,
    private readonly config: ConfigService<Environment, true>,
  ) {}

  /** Other agents. An exception of 4xx, such as the `NotFoundException` of the service, reaches the sender as one sentence. */
  @OnPeerMessage()
  async command(
    @MessageText(OrderCommandPipe) command: OrderCommand,
    @MessageContext() context: HandlerContext,
  ): Promise<string> {
    if (command.kind === 'status') return lineOf(this.orders.find(command.id));
    const supplier = this.config.get('SUPPLIER_ID', { infer: true });
    const question = `Is ${command.item} in stock?`;
    const reply = await this.molecule.call(supplier, question, { signal: context.signal });
    if (!reply.text.startsWith('yes')) throw new ConflictException(`There is no ${command.item} in stock`);
    // A message is handled again after a crash. `once` keeps the result, so that there is one order.
    return context.once('order', () => lineOf(this.orders.place(command)));
  }

  /** A task of an agent of the Python SDK. The `ValidationPipe` of the application validates it, as it does the body of a request. */
  @OnTask('delegate_task')
  task(@MessageParams() order: CreateOrderDto, @MessageContext() { once }: HandlerContext): Promise<string> {
    return once('order', () => lineOf(this.orders.place(order)));
  }

  /** People on the canvas get the orders as a stream, one line after the other. */
  @OnUserMessage()
  async *report(): AsyncGenerator<string> {
    const orders = this.orders.latest(20);
    yield `The latest ${orders.length} orders:`;
    for (const order of orders) yield `\n${lineOf(order)}`;
  }
}

function lineOf({ id, item, quantity }: Order): string {
  return `Order ${id}: ${quantity} × ${item}`;
}
