import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that the system gives to connections; each process starts at another place. */
const FIRST_PORT = 20_000;
let next = FIRST_PORT + (process.pid % 5_000) * 2;

/** A port of this machine on which nothing listens. Programs need it that say where they are before they listen. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = next;
    next += 1;
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
