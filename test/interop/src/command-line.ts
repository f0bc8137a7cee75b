import { parseArgs } from 'node:util';

export const USAGE = `Runs published A2A SDKs, as clients and as agents, against the platform of this repository.

  npx -y pnpm@12 interop             every client with every agent; the exit code is 1 when a check fails
  npx -y pnpm@12 interop --record    writes what they send as data of the conformance tests, and checks nothing
  npx -y pnpm@12 interop --help

Needs python3 3.10 or newer with venv. The first run installs the packages of the Python SDKs, which takes minutes.
What the words of the output mean is in test/interop/README.md.
`;

export type CommandLine =
  | { readonly kind: 'check' | 'record' | 'help' }
  | { readonly kind: 'invalid'; readonly message: string };

/** What the arguments ask for. */
export function readCommandLine(given: readonly string[]): CommandLine {
  try {
    const options = { record: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;
    const { record, help } = parseArgs({ args: [...given], options }).values;
    if (help === true) return { kind: 'help' };
    return { kind: record === true ? 'record' : 'check' };
  } catch (error) {
    return { kind: 'invalid', message: error instanceof Error ? error.message : String(error) };
  }
}
