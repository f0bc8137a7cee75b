/** One line of JSON on stdout, which the parent process reads. */
export function writeLine(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
