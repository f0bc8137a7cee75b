import assert from 'node:assert/strict';
import { getAgentToken, getMoleculeClientToken } from '@molecule-ai/nestjs';
import { Test } from '@nestjs/testing';
import { AppModule, OrderDesk } from './nestjs-app.js';

/** A test of the whole application whose agent is not made: it needs no variable and joins nothing. */
export async function testApplication(): Promise<void> {
  const module = await Test.createTestingModule({ imports: [AppModule] })
    .overrideProvider(getMoleculeClientToken())
    .useValue({})
    .overrideProvider(getAgentToken())
    .useValue({})
    .compile();
  const app = await module.init();
  assert.equal(app.get(OrderDesk).answer('A-17'), 'Order A-17 was shipped yesterday.');
  await app.close();
}
