// #region hono
import type { InboundHandler } from '@molecule-ai/core/inbound';
import { Hono } from 'hono';

export function createHonoApp(handler: InboundHandler): Hono {
  const app = new Hono();
  app.all('/a2a/*', (context) => handler(context.req.raw));
  return app;
}
// #endregion hono
