import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { ProgramProcess } from '@molecule-tests/harness';
import type { Member } from './members.ts';
import type { TestEnvironment } from './test-environment.ts';

const PROGRAM = fileURLToPath(new URL('./killable-push-agent-program.ts', import.meta.url));

/**
 * Where the agent kills its own process: `arrived` when that line of its log is written and `kept-end` when it is flushed, `began` and
 * `handler` in the handler, before and after its effect, `register-push` when it has registered push. `streamed`: it does not, but the handler stays where it has
 * streamed `echo: `.
 */
export type CrashPoint = 'arrived' | 'began' | 'handler' | 'kept-end' | 'register-push' | 'streamed';

export interface KillablePushAgentOptions {
  readonly port: number;
  readonly stateDirectory: string;
  /** The file to which the handler adds the text of each message, by `once`. */
  readonly effects: string;
  readonly delivery?: 'push' | 'auto';
  readonly crash?: { readonly at: CrashPoint; readonly on: string };
}

/** An echoing agent with a server, in a process of its own; it ends with the test. */
export function startKillablePushAgent(
  environment: TestEnvironment,
  platform: { readonly url: string },
  member: Member,
  options: KillablePushAgentOptions,
): ProgramProcess {
  const { port, stateDirectory, effects, delivery = 'push', crash } = options;
  const agent = new ProgramProcess({
    name: 'agent',
    program: PROGRAM,
    folder: environment.folder(),
    environment: {
      MOLECULE_PLATFORM_URL: platform.url,
      MOLECULE_WORKSPACE_ID: member.id,
      MOLECULE_WORKSPACE_TOKEN: member.token,
      MOLECULE_STATE_DIR: stateDirectory,
      MOLECULE_REPORTED_URL: `http://127.0.0.1:${port}`,
      AGENT_PORT: String(port),
      DELIVERY: delivery,
      EFFECTS: effects,
      CRASH_AT: crash?.at ?? '',
      CRASH_ON: crash?.on ?? '',
    },
  });
  environment.onCleanup(() => agent.kill());
  return agent;
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
