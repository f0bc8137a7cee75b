/** Writes one JSON line to stdout, which `main.ts` reads. */
export function log(event: string, facts: object = {}): void {
  process.stdout.write(`${JSON.stringify({ event, pid: process.pid, ...facts })}\n`);
}
