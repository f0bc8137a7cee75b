import { MoleculeModule } from '@molecule-ai/nestjs';
import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { CommonJsLedgerModule } from 'commonjs-library';
import { ModuleLedgerModule } from 'module-library';
import { Desk } from './desk.js';
import { KeyGuard } from './guards.js';
import { Office, StockController } from './handlers.js';
import { Journal, Stock } from './stock.js';

@Module({
  imports: [
    MoleculeModule.forRoot({ isGlobal: true, client: { agentCard: { name: 'stock' } } }), // the rest is in the environment
    CommonJsLedgerModule,
    ModuleLedgerModule,
  ],
  controllers: [StockController],
  providers: [Stock, Journal, Desk, Office, { provide: APP_GUARD, useClass: KeyGuard }],
})
export class AppModule {}
