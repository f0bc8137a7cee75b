import type { RemoteAgentClientOptions } from '@molecule-ai/core';
import { type DynamicModule, Module } from '@nestjs/common';
import { OrderAgent, WORKSPACE } from './order-agent.ts';
import { OrderBook } from './order-book.ts';

@Module({ providers: [OrderBook, OrderAgent] })
class OrderModule {}

/** The application, as the agent of this workspace. */
export function orderModule(workspace: RemoteAgentClientOptions): DynamicModule {
  return { module: OrderModule, providers: [{ provide: WORKSPACE, useValue: workspace }] };
}
