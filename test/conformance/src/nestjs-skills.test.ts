import 'reflect-metadata';
import { defineSkill } from '@molecule-ai/core';
import { expectAnswered, expectStatus } from '@molecule-ai/core/testing';
import { MessageData, MessageText, MoleculeService, OnMessage, Skill } from '@molecule-ai/nestjs';
import { Controller, Injectable, ValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { IsInt, IsString } from 'class-validator';
import { expect, expectTypeOf } from 'vitest';
import * as z from 'zod';
import { openNestStage } from './harness/nest-stage.ts';
import { verifies } from './verifies.ts';

class OrderDto {
  @IsString() item!: string;
  @IsInt() count!: number;
}

const ORDER = {
  type: 'object',
  properties: { item: { type: 'string' }, count: {} },
  required: ['item', 'count'],
};
const order = defineSkill({ id: 'order', input: ORDER, output: z.object({ number: z.string() }) });
const quote = defineSkill({
  id: 'quote',
  input: z.object({ item: z.string(), at: z.iso.date().transform((text) => new Date(text)) }),
  output: z.object({ cents: z.int() }),
});

@Injectable()
class Desk {
  /** A DTO of class-validator, through the pipe. */
  @Skill(order) order(@MessageData() data: OrderDto) {
    return {
      data: { number: data.item === 'bad' ? 7 : `${data instanceof OrderDto}-${data.count}` },
      text: 'Done.',
    };
  }

  /** The data as the schema returns it. */
  @Skill(quote) quote(@MessageData(z.custom()) { at }: { at: Date }) {
    return { data: { cents: at.getUTCFullYear() } };
  }

  @OnMessage() any(@MessageText() text: string, @MessageData(z.unknown()) data: unknown) {
    return { text: `any: ${text}`, data: { data: data ?? null } };
  }
}

@Controller()
class Asker {
  private readonly molecule: MoleculeService;

  constructor(molecule: MoleculeService) {
    this.molecule = molecule;
  }

  async quote(peerId: string) {
    const reply = await this.molecule.call(peerId, quote, { item: 'tea', at: '2026-05-01' });
    expectTypeOf(reply.data).toEqualTypeOf<{ cents: number } | undefined>();
    return reply;
  }

  order(peerId: string, data: object) {
    return this.molecule.call(peerId, { skill: 'order', data: data as never });
  }

  @OnMessage() none() {
    return null;
  }
}

verifies('nestjs.skills', async () => {
  const { start, settled } = await openNestStage();
  const pipe = { provide: APP_PIPE, useFactory: () => new ValidationPipe({ transform: true }) };
  const desk = await start({ providers: [Desk, pipe] });
  const { app } = await start({ controllers: [Asker] });
  const asker = app.get(Asker);
  const quoted = await settled(asker.quote(desk.id));
  expect(quoted).toMatchObject({ status: 'answered', data: { cents: 2026 } });
  const ordered = await settled(asker.order(desk.id, { item: 'tea', count: 2 }));
  expectAnswered(ordered, 'Done.');
  expect(ordered.data).toEqual({ number: 'true-2' });
  expectStatus(await settled(asker.order(desk.id, { item: 'tea' })), 'failed', 'invalid_data');
  const refused = await settled(asker.order(desk.id, { item: 'tea', count: 'many' }));
  expectStatus(refused, 'failed', 'bad_request');
  expect(refused.text).toContain('count must be an integer');
  expectStatus(
    await settled(asker.order(desk.id, { item: 'bad', count: 1 })),
    'failed',
    'agent_answer_invalid',
  );
  const molecule = app.get(MoleculeService);
  expectStatus(await settled(molecule.call(desk.id, { skill: 'paint', data: 1 })), 'failed', 'unknown_skill');
  const any = await settled(molecule.call(desk.id, { text: 'hello', data: [1] }));
  expect([any.text, any.data]).toEqual(['any: hello', { data: [1] }]);
  const [peer] = (await settled(molecule.peers())).filter(({ id }) => id === desk.id);
  const schemas = { order: { input: ORDER, output: order.output.schema }, quote: expect.anything() };
  expect(peer?.agentCard.capabilities).toMatchObject({ extensions: [{ params: { skills: schemas } }] });
  expect(() => Skill({ id: 'order' } as never)).toThrow('@Skill() needs what defineSkill() returned.');
});
