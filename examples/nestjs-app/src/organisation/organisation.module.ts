import { MoleculeModule } from '@molecule-ai/nestjs';
import { Module } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { TerminusModule } from '@nestjs/terminus';
import type { Environment } from '../environment.ts';
import { OrdersModule } from '../orders/orders.module.ts';
import { HealthController } from './health.controller.ts';
import { OrderDesk } from './order-desk.ts';
import { SuppliersController } from './suppliers.controller.ts';

/** All that was added to the application when it joined. With MOLECULE_REPORTED_URL its own server takes messages at that path. */
@Module({
  imports: [
    OrdersModule,
    TerminusModule.forRoot({ logger: false }),
    MoleculeModule.forRootAsync({
      inject: [ConfigService],
      useFactory: (config: ConfigService<Environment, true>) => ({
        client: {
          agentCard: { name: 'orders', skills: [{ id: 'orders', name: 'Places orders, knows their state' }] },
        },
        agent: {
          concurrency: 64,
          presence: { heartbeatIntervalMs: config.get('HEARTBEAT_INTERVAL_MS', { infer: true }) },
        },
      }),
    }),
  ],
  providers: [OrderDesk],
  controllers: [SuppliersController, HealthController],
})
export class OrganisationModule {}
