/** Writes one JSON line to stdout. The demo reads these lines back; nobody else does. */
export function log(event: string, facts: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, pid: process.pid, ...facts })}\n`);
}
