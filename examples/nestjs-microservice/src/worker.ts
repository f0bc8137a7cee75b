/** The microservice. Platform, workspace and token are in the environment. */
import 'reflect-metadata';
import { MoleculeModule } from '@molecule-ai/nestjs';
import { MoleculeStrategy } from '@molecule-ai/nestjs/microservice';
import { ConsoleLogger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { PickingController } from './picking.controller.ts';
import { StockService } from './stock.service.ts';

/** The same object for the module, which makes the agent, and for the microservice, whose patterns it calls. */
const strategy = new MoleculeStrategy();

@Module({
  imports: [
    MoleculeModule.forRoot({
      strategy,
      client: { agentCard: { name: 'warehouse' } },
      agent: { presence: { heartbeatIntervalMs: 1_000 } },
    }),
  ],
  controllers: [PickingController],
  providers: [StockService],
})
export class WorkerModule {}

async function bootstrap(): Promise<void> {
  const logger = new ConsoleLogger({ json: process.env.LOG_FORMAT === 'json' });
  const app = await NestFactory.createMicroservice(WorkerModule, { strategy, logger });
  app.enableShutdownHooks();
  await app.listen();
}

await bootstrap();
