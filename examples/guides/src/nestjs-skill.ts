import { defineSkill } from '@molecule-ai/core';
import { MessageData, MoleculeModule, Skill } from '@molecule-ai/nestjs';
import { Injectable, Module } from '@nestjs/common';

/** The same skill by JSON Schema. */
const order = defineSkill({
  id: 'order',
  input: {
    type: 'object',
    properties: { article: { type: 'string' }, count: { type: 'integer', minimum: 1 } },
    required: ['article', 'count'],
  },
});

interface Order {
  article: string;
  count: number;
}

/** The order desk as a provider of NestJS. */
@Injectable()
export class OrderSkills {
  @Skill(order)
  take(@MessageData() data: Order) {
    return { data: { number: `${data.article}-1`, cents: 450 * data.count } };
  }
}

@Module({
  imports: [MoleculeModule.forRoot({ client: { agentCard: { name: 'order desk' } } })],
  providers: [OrderSkills],
})
export class OrderModule {}
