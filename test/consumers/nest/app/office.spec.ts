import type { RemoteAgent } from '@molecule-ai/core';
import { getAgentToken } from '@molecule-ai/nestjs';
import { MoleculeTesting, MoleculeTestingModule } from '@molecule-ai/nestjs/testing';
import { createTestPlatform } from '@molecule-ai/platform/testing';
import { Test } from '@nestjs/testing';
import { Office } from './handlers.js';
import { Stock } from './stock.js';

describe('Office', () => {
  it('answers on a test platform', async () => {
    const platform = await createTestPlatform();
    const testing = await MoleculeTesting.open(platform);
    const module = await Test.createTestingModule({
      imports: [MoleculeTestingModule.forRoot(testing)],
      providers: [Office, Stock],
    }).compile();
    const app = await module.createNestApplication().init();
    await testing.online(app.get<RemoteAgent>(getAgentToken()));

    expect((await testing.say('tea milk')).text).toBe('tea: 7. milk: 0. ');

    await testing.settled(app.close());
    await platform.close();
    expect(app.get(Stock).isClosed).toBe(true);
  });
});
