import { parseArgs } from 'node:util';
import type { KillTarget } from './killing.ts';

export interface EnduranceArguments {
  /** `heartbeats`: blocked and suspended agents instead of messages and kills. */
  readonly only: 'messages' | 'heartbeats';
  readonly messages: number;
  readonly kill: KillTarget;
  readonly kills: number;
  readonly seed: number;
  readonly keep: boolean;
  readonly help: boolean;
}

/** Wrong arguments; the message says what is possible instead. */
export class UsageError extends Error {}

const MESSAGES_PER_KILL = 60;
const LEAST_KILLS = 8;
const MAX_SEED = 2 ** 32 - 1;

export function usage(): string {
  return `Usage: npx -y pnpm@12 endurance [options]

Sends messages between real processes while some of them are killed with SIGKILL and started again, and compares
what the platform recorded with what the senders learned and the agents did. Exits 0 only if nothing was lost,
ended twice, delivered twice or reported wrongly.

  --only=heartbeats  an agent that burns CPU for a minute, and is suspended for three; nothing is killed
  --kill=NAME      platform or agents: what is killed (default: platform)
  --messages=N     how many messages are sent (default: 2000)
  --kills=N        how often something is killed (default: one for ${MESSAGES_PER_KILL} messages, at least ${LEAST_KILLS})
  --seed=N         repeats the plan of an earlier run (default: a random one, which is printed)
  --keep           leaves the data, state and logs of all processes and prints their folder
  --help           prints this
`;
}

/** @throws UsageError */
export function parseArguments(argv: readonly string[]): EnduranceArguments {
  const { values } = parseOrThrow(argv);
  const kill = values.kill ?? 'platform';
  if (kill !== 'platform' && kill !== 'agents') {
    throw new UsageError(`--kill=${kill} is unknown. Choose platform or agents.`);
  }
  const messages = readInteger('messages', values.messages, 2_000, [1, 100_000]);
  const kills = Math.max(LEAST_KILLS, Math.ceil(messages / MESSAGES_PER_KILL));
  const only = values.only ?? 'messages';
  if (only !== 'messages' && only !== 'heartbeats') {
    throw new UsageError(`--only=${only} is unknown. Choose messages or heartbeats.`);
  }
  return {
    only,
    kill,
    messages,
    kills: readInteger('kills', values.kills, kills, [0, 10_000]),
    seed: readInteger('seed', values.seed, Math.floor(Math.random() * MAX_SEED), [0, MAX_SEED]),
    keep: values.keep,
    help: values.help,
  };
}

function readInteger(
  name: string,
  text: string | undefined,
  fallback: number,
  [min, max]: readonly [number, number],
): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max && text.trim() !== '') return value;
  throw new UsageError(
    `--${name} must be a whole number from ${min} to ${max}, got ${JSON.stringify(text)}.`,
  );
}

function parseOrThrow(argv: readonly string[]) {
  try {
    return parseArgs({
      args: argv.filter((argument) => argument !== '--'),
      options: {
        only: { type: 'string' },
        kill: { type: 'string' },
        messages: { type: 'string' },
        kills: { type: 'string' },
        seed: { type: 'string' },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
