import type { InboundMessage, PeerReply, RemoteAgentClient } from '@molecule-ai/core';
import { getMoleculeClientToken, MoleculeModule } from '@molecule-ai/nestjs';
import {
  ANY_MESSAGE,
  MessageExceptionFilter,
  MoleculeClientProxy,
  type MoleculeRpcContext,
  MoleculeStrategy,
} from '@molecule-ai/nestjs/microservice';
import { Controller, Inject, Module, UseFilters } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxy,
  ClientsModule,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
} from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';

export const strategy = new MoleculeStrategy();

@Controller()
@UseFilters(MessageExceptionFilter)
export class TasksController {
  constructor(@Inject('PEERS') private readonly peers: ClientProxy) {}

  /** By the method of JSON-RPC. */
  @MessagePattern('delegate_task')
  task(@Payload('params') params: object, @Ctx() context: MoleculeRpcContext): string {
    return `${Object.keys(params).length} params, ${context.getSignal().aborted ? 'too late' : 'in time'}`;
  }

  /** All other messages. */
  @MessagePattern(ANY_MESSAGE)
  async any(@Payload('text') text: string): Promise<string> {
    if (!text.startsWith('ask ')) return `echo: ${text}`;
    const reply = await firstValueFrom(this.peers.send<PeerReply>(text.slice('ask '.length), 'Hello'));
    return reply.text;
  }

  @EventPattern('delivered')
  delivered(@Payload() message: InboundMessage): void {
    console.log(`handled ${message.id}`);
  }
}

@Module({
  imports: [
    MoleculeModule.forRoot({ strategy, isGlobal: true }), // the rest is in the environment
    ClientsModule.registerAsync([
      {
        name: 'PEERS',
        inject: [getMoleculeClientToken()],
        useFactory: (client: RemoteAgentClient) => ({
          customClass: MoleculeClientProxy,
          options: { client },
        }),
      },
    ]),
  ],
  controllers: [TasksController],
})
export class TasksModule {}

export async function bootstrap() {
  const app = await NestFactory.createMicroservice(TasksModule, { strategy });
  await app.listen();
  return app;
}
