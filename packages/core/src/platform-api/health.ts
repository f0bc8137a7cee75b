import type { CallOptions } from '../transport/platform-request.ts';
import type { Transport } from '../transport/transport.ts';

/** `GET /health`: resolves when the platform's process answers. */
export async function getHealth(transport: Transport, options: CallOptions = {}): Promise<void> {
  await probe(transport, '/health', options);
}

/** `GET /ready`: resolves when the platform can work, database included. */
export async function getReady(transport: Transport, options: CallOptions = {}): Promise<void> {
  await probe(transport, '/ready', options);
}

/** Without a bearer and without repeats: a probe tells how it is now. */
async function probe(transport: Transport, path: string, options: CallOptions): Promise<void> {
  await transport.send({
    method: 'GET',
    path,
    isRepeatable: false,
    timeoutMs: transport.settings.requestTimeoutMs,
    signal: options.signal,
    bearer: null,
  });
}
