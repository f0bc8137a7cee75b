import assert from 'node:assert/strict';
import type { RemoteAgent } from '@molecule-ai/core';
import { getAgentToken } from '@molecule-ai/nestjs';
import { MoleculeTesting, MoleculeTestingModule } from '@molecule-ai/nestjs/testing';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { Test } from '@nestjs/testing';
import { OrderBook, OrderDesk } from './nestjs-app.js';

/** A test of the order desk, for any runner. */
export async function testOrderDesk(): Promise<void> {
  const platform = await createTestPlatform();
  const testing = await MoleculeTesting.open(platform);
  const module = await Test.createTestingModule({
    imports: [MoleculeTestingModule.forRoot(testing)],
    providers: [OrderBook, OrderDesk],
  })
    .overrideProvider(OrderBook)
    .useValue({ find: () => 'is here' })
    .compile();
  const app = await module.init();
  await testing.online(app.get<RemoteAgent>(getAgentToken()));
  assert.equal((await testing.ask('A-17')).text, 'Order A-17 is here.'); // as another agent; say() as a person
  await testing.settled(app.close()); // a manual clock is moved until it is closed
  await platform.close();
}
