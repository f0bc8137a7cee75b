import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A server at the other end of half-open connections: it accepts them, reads nothing and sends nothing. */
export interface SilentServer {
  readonly url: string;
  readonly port: number;
  /** Connections that it accepted so far. */
  readonly connections: () => number;
  stop(): Promise<void>;
}

export async function startSilentServer(
  onCleanup: (stop: () => Promise<void>) => void,
): Promise<SilentServer> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    accepted += 1;
    sockets.add(socket.on('error', () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  onCleanup(stop);
  return { url: `http://127.0.0.1:${port}`, port, connections: () => accepted, stop };
}
