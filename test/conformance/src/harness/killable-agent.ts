import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DeliveryName } from './agent-world.ts';

/** What an agent process is told to do. */
export interface AgentProgramSettings {
  readonly platformUrl: string;
  readonly workspaceId: string;
  readonly token: string;
  readonly stateDirectory: string;
  readonly delivery: DeliveryName;
  /** `hang`: never finishes a message. `reply-then-hang`: answers it and then never finishes it. */
  readonly script: 'echo' | 'hang' | 'reply-then-hang';
}

export type AgentProgramReport =
  | { readonly kind: 'started' }
  | { readonly kind: 'handling'; readonly text: string; readonly attempt: number }
  | { readonly kind: 'replied'; readonly text: string };

/** A message with this text is answered and finished by every script. */
export const WARM_UP = 'warm up';

/** An agent that can be killed. */
export interface AgentProcess {
  readonly reports: readonly AgentProgramReport[];
  /** Resolves with the first report of a kind. */
  reported(kind: AgentProgramReport['kind']): Promise<AgentProgramReport>;
  kill(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL('./killable-agent-program.ts', import.meta.url));

export function startAgentProcess(settings: AgentProgramSettings): AgentProcess {
  const child = fork(PROGRAM, [JSON.stringify(settings)], {
    execArgv: ['--no-warnings'],
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const reports: AgentProgramReport[] = [];
  const waiters = new Set<() => void>();
  let complaints = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  child.on('message', (report) => {
    reports.push(report as AgentProgramReport);
    for (const wake of [...waiters]) wake();
  });
  child.on('exit', () => {
    for (const wake of [...waiters]) wake();
  });
  return {
    reports,
    reported: (kind) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = reports.find((report) => report.kind === kind);
          if (found === undefined && isRunning(child)) return;
          waiters.delete(look);
          if (found !== undefined) resolve(found);
          else reject(new Error(`the agent ended before it was ${kind}: ${complaints}`));
        };
        waiters.add(look);
        look();
      }),
    kill: async () => {
      if (!isRunning(child)) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
