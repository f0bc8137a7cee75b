/** An application with HTTP, which sends messages to microservices and other agents. */
import 'reflect-metadata';
import type { RemoteAgentClient } from '@molecule-ai/core';
import { getMoleculeClientToken, MoleculeModule } from '@molecule-ai/nestjs';
import { MoleculeClientProxy } from '@molecule-ai/nestjs/microservice';
import { ConsoleLogger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule } from '@nestjs/microservices';
import { PEERS, PeersController } from './peers.controller.ts';

@Module({
  imports: [
    // It only calls: nothing has to handle messages.
    MoleculeModule.forRoot({
      client: { agentCard: { name: 'gateway' } },
      withoutHandlers: true,
      isGlobal: true,
    }),
    ClientsModule.registerAsync([
      {
        name: PEERS,
        inject: [getMoleculeClientToken()],
        useFactory: (client: RemoteAgentClient) => ({
          customClass: MoleculeClientProxy,
          options: { client },
        }),
      },
    ]),
  ],
  controllers: [PeersController],
})
export class GatewayModule {}

async function bootstrap(): Promise<void> {
  const logger = new ConsoleLogger({ json: process.env.LOG_FORMAT === 'json' });
  const app = await NestFactory.create(GatewayModule, { logger });
  app.enableShutdownHooks();
  await app.listen(process.env.PORT ?? 3000, '127.0.0.1');
  logger.log(`Listens on ${await app.getUrl()}`, 'Gateway');
}

await bootstrap();
