/** Kinds of resources that a stopped platform, agent or scripted peer must not leave open. */
const WATCHED = new Set(['TCPSocketWrap', 'TCPServerWrap', 'TLSWrap', 'HTTPINCOMINGMESSAGE', 'Worker']);

/** The watched resources that are open now. */
export function openHandles(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => WATCHED.has(kind));
}

/**
 * Waits until no more handles are open than `before`; fails naming the rest. Closing takes some turns of the
 * event loop, never a fixed time.
 */
export async function expectNothingOpen(before: number): Promise<void> {
  for (let turn = 0; turn < 20_000; turn += 1) {
    if (openHandles().length <= before) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  throw new Error(`left open after the test: ${openHandles().slice(before).join(', ')}`);
}
