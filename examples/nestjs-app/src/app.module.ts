import { Module, ValidationPipe } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { ApiKeyGuard } from './api-key.guard.ts';
import { validateEnvironment } from './environment.ts';
import { OrdersModule } from './orders/orders.module.ts';
import { OrganisationModule } from './organisation/organisation.module.ts';
import { ProblemFilter } from './problem.filter.ts';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, validate: validateEnvironment }),
    OrdersModule,
    OrganisationModule,
  ],
  providers: [
    { provide: APP_GUARD, useClass: ApiKeyGuard },
    { provide: APP_PIPE, useValue: new ValidationPipe({ transform: true, whitelist: true }) },
    { provide: APP_FILTER, useClass: ProblemFilter },
  ],
})
export class AppModule {}
