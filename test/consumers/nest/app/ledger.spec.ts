import { MoleculeModule } from '@molecule-ai/nestjs';
import { Test } from '@nestjs/testing';
import { CommonJsLedger, CommonJsLedgerModule } from 'commonjs-library';

const options = {
  isGlobal: true,
  manualStart: true,
  withoutHandlers: true,
  client: { platformUrl: 'http://localhost:1', workspaceId: '6ad4d5f4-4b4c-4b0a-9d2a-0d5b9f6f3f11' },
};

describe('CommonJsLedger', () => {
  it('has the client of the application', async () => {
    const module = await Test.createTestingModule({
      imports: [MoleculeModule.forRoot(options), CommonJsLedgerModule],
    }).compile();
    const app = await module.init();
    expect(app.get(CommonJsLedger).client.workspaceId).toBe(options.client.workspaceId);
    await app.close();
  });
});
