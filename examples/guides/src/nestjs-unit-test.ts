import assert from 'node:assert/strict';
import { getAgentToken, getMoleculeClientToken, MoleculeModule, MoleculeService } from '@molecule-ai/nestjs';
import { Test } from '@nestjs/testing';
import { Planner } from './nestjs-peers.js';

/** A test without a platform: client and agent are not made, so that no variable is needed. */
export async function testPlanner(): Promise<void> {
  const double = { peers: async () => [{ id: 'stock' }], call: async () => ({ text: 'Yes, 12.' }) };
  const module = await Test.createTestingModule({
    imports: [MoleculeModule.forRoot()],
    providers: [Planner],
  })
    .overrideProvider(getMoleculeClientToken())
    .useValue({})
    .overrideProvider(getAgentToken())
    .useValue({})
    .overrideProvider(MoleculeService)
    .useValue(double)
    .compile();
  assert.equal(await module.get(Planner).plan('Is there tea?', 'Is there tea?'), 'Yes, 12.');
  await module.close();
}
