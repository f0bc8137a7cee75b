import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** An https server whose certificate nobody signed. */
export interface SelfSignedServer {
  /** https, by the name that is in the certificate. */
  readonly url: string;
  readonly requests: () => number;
}

export async function startSelfSignedServer(
  onCleanup: (stop: () => void) => void,
): Promise<SelfSignedServer> {
  const file = new URL('../../data/self-signed.json', import.meta.url);
  const { key, cert } = JSON.parse(readFileSync(file, 'utf8')) as Record<'key' | 'cert', string>;
  let requests = 0;
  const server = createServer({ key, cert }, (_request, response) => {
    requests += 1;
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onCleanup(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `https://localhost:${port}`, requests: () => requests };
}
