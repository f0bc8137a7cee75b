/** Kinds of resources that a stopped platform, agent or scripted peer must not leave open. */
const WATCHED = new Set(['TCPSocketWrap', 'TCPServerWrap', 'TLSWrap', 'HTTPINCOMINGMESSAGE', 'Worker']);

/** The watched resources that are open now. */
export function openHandles(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => WATCHED.has(kind));
}

const PATIENCE_MS = 10_000;

/** Waits until no more handles are open than `before`, for as long as a busy machine may take; then names the rest. */
export async function expectNothingOpen(before: number): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  while (openHandles().length > before) {
    if (performance.now() > giveUpAt) {
      throw new Error(`left open after the test: ${openHandles().slice(before).join(', ')}`);
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
