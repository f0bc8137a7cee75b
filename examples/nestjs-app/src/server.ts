/** Starts the application: `node dist/server.js`, on Fastify with `--fastify`. In an application of `nest new` this is main.ts. */
import 'reflect-metadata';
import { ConsoleLogger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.ts';
import type { Environment } from './environment.ts';

async function bootstrap(): Promise<void> {
  const adapter = process.argv.includes('--fastify') ? new FastifyAdapter() : new ExpressAdapter();
  const logger = new ConsoleLogger({ json: process.env.LOG_FORMAT === 'json' });
  const app = await NestFactory.create(AppModule, adapter, { logger });
  app.enableShutdownHooks();
  const config = app.get<ConfigService<Environment, true>>(ConfigService);
  await app.listen(config.get('PORT', { infer: true }), config.get('HOST', { infer: true }));
}

await bootstrap();
