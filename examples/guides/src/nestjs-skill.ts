import { MessageData, MoleculeModule, Skill } from '@molecule-ai/nestjs';
import { Injectable, Module } from '@nestjs/common';
import type * as z from 'zod';
import { order } from './structured-data.js';

/** The order desk as a provider of NestJS. */
@Injectable()
export class OrderSkills {
  @Skill(order)
  take(@MessageData() data: z.output<typeof order.input.source>) {
    return { data: { number: `${data.article}-1`, cents: 450 * data.count } };
  }
}

@Module({
  imports: [MoleculeModule.forRoot({ client: { agentCard: { name: 'order desk' } } })],
  providers: [OrderSkills],
})
export class OrderModule {}
