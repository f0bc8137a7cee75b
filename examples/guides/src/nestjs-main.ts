import type { RemoteAgent } from '@molecule-ai/core';
import { getAgentToken } from '@molecule-ai/nestjs';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './nestjs-app.js';

/** Ends the process with exit code 1 when its agent cannot start. */
export async function bootstrap() {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
  app.enableShutdownHooks();
  const agent = app.get<RemoteAgent>(getAgentToken());
  agent.closed.catch(() => {
    process.exitCode = 1;
    void app.close();
  });
  return app;
}
