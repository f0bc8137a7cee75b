import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type RequestHandler } from 'express';
import { writeLine } from './line.ts';

/**
 * Serves an agent at `/a2a` on a free loopback port, behind what `create` makes for its URL, and writes `{ url, card }`.
 * Ends with stdin.
 */
export async function listen(
  create: (url: string) => { readonly card: unknown; readonly handler: RequestHandler },
): Promise<void> {
  const app = express();
  const server: Server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a2a`;
  const { card, handler } = create(url);
  app.use('/a2a', handler);
  writeLine({ url, card });
  process.stdin.resume().once('end', () => process.exit(0));
}
