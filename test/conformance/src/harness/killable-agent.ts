import { fileURLToPath } from 'node:url';
import { ProgramProcess } from '@molecule-tests/harness';
import type { Member } from './members.ts';
import type { DeliveryName } from './test-agent.ts';
import type { TestEnvironment } from './test-environment.ts';

const PROGRAM = fileURLToPath(new URL('./killable-agent-program.ts', import.meta.url));

export interface KillableAgentOptions {
  readonly delivery: DeliveryName;
  readonly stateDirectory: string;
  /** @default 30 000 */
  readonly heartbeatIntervalMs?: number;
  /** The text of a message that it never finishes, and never answers. */
  readonly hangBeforeReply?: string;
  /** The text of a message that it answers and never finishes. */
  readonly hangAfterReply?: string;
}

/**
 * An echoing agent in a process of its own; it ends with the test. Its log has the events `online`, `paused`,
 * `resumed`, `handling` (with `text` and `attempt`) and `replied` (with `text`).
 */
export function startKillableAgent(
  environment: TestEnvironment,
  platform: { readonly url: string },
  member: Member,
  options: KillableAgentOptions,
): ProgramProcess {
  const agent = new ProgramProcess({
    name: 'agent',
    program: PROGRAM,
    folder: environment.folder(),
    environment: {
      MOLECULE_PLATFORM_URL: platform.url,
      MOLECULE_WORKSPACE_ID: member.id,
      MOLECULE_WORKSPACE_TOKEN: member.token,
      MOLECULE_STATE_DIR: options.stateDirectory,
      DELIVERY: options.delivery,
      HEARTBEAT_INTERVAL_MS: String(options.heartbeatIntervalMs ?? 30_000),
      HANG_BEFORE_REPLY: options.hangBeforeReply ?? '',
      HANG_AFTER_REPLY: options.hangAfterReply ?? '',
    },
  });
  environment.onCleanup(() => agent.kill());
  return agent;
}
