// #region express
import { toNodeListener } from '@molecule-ai/core';
import type { InboundHandler } from '@molecule-ai/core/inbound';
import express, { type Express } from 'express';

export function createExpressApp(handler: InboundHandler): Express {
  const app = express();
  app.use('/a2a', toNodeListener(handler)); // before body parsers: the handler reads the body itself
  app.use(express.json());
  return app;
}
// #endregion express
