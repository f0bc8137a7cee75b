import { parseArgs } from 'node:util';

/** Ways to sabotage the demo. Each must make a check fail. */
export const BREAKS = {
  'drop-reply': 'a child handles its message and says nothing',
  double: 'a restarted child handles each message twice',
  'no-server': 'the agent with a URL does not listen there',
  'at-once': 'the parent makes its answer whole before it gives any of it',
  'push-only': 'that agent reads nothing while nothing can be pushed to it',
  'no-wrap': 'the platform does not mark what peers wrote',
  'hide-failure': 'an agent that gives up says nothing about it',
  'obey-peer': 'an agent takes the word of a peer for the approval of the user',
  'keep-alive': 'a removed agent ignores its removal',
} as const;

export type Break = keyof typeof BREAKS;

export interface DemoArguments {
  readonly break: Break | undefined;
  readonly keep: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

/** Wrong arguments; the message says what is possible instead. */
export class UsageError extends Error {}

export function parseArguments(argv: readonly string[]): DemoArguments {
  const { values } = parseOrThrow(argv);
  const name = values.break;
  if (name !== undefined && !isBreak(name)) {
    throw new UsageError(`--break=${name} is unknown. Choose one of: ${Object.keys(BREAKS).join(', ')}`);
  }
  if (name !== undefined && values.keep) throw new UsageError('--break and --keep exclude each other.');
  return { break: name, keep: values.keep, json: values.json, help: values.help };
}

export function usage(): string {
  const breaks = Object.entries(BREAKS).map(([name, effect]) => `      ${name.padEnd(14)}${effect}`);
  return `Usage: npx -y pnpm@12 demo [options]

One platform and four agents, each a process of its own, on this machine. Every line it prints was
read back from the platform or from an agent's log. Exits 0 only if every check holds.

  --break=NAME  sabotage one thing; the demo must then fail:
${breaks.join('\n')}
  --keep        leave everything running and print what to try next
  --json        print JSON lines instead of text
  --help        print this
`;
}

function parseOrThrow(argv: readonly string[]) {
  try {
    return parseArgs({
      args: argv.filter((argument) => argument !== '--'),
      options: {
        break: { type: 'string' },
        keep: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function isBreak(name: string): name is Break {
  return Object.hasOwn(BREAKS, name);
}
