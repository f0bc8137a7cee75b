// What a test opens here is closed when the test ends, the last one first. To be called inside a test.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { PlatformOptions } from '../src/index.ts';
import { type RunningPlatform, startPlatform, withDefaults } from './running-platform.ts';
import { type ScriptedAgent, startAgent } from './scripted-agent.ts';

/** A platform that may push to agents on this machine. @default production mode, in memory */
export async function openPlatform(options: PlatformOptions = {}): Promise<RunningPlatform> {
  const agentsHere = { security: { allowAgentNetworks: ['127.0.0.0/8'] } };
  const running = await startPlatform(withDefaults(agentsHere, options));
  onTestFinished(() => running.platform.close());
  return running;
}

/** An agent with a server. */
export async function openAgent(onCall: Parameters<typeof startAgent>[0]): Promise<ScriptedAgent> {
  const agent = await startAgent(onCall);
  onTestFinished(() => agent.close());
  return agent;
}

/** An empty folder; returns its path. */
export function openFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'molecule-platform-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
