import type { DemoArguments } from './arguments.ts';
import { Deadline } from './deadline.ts';
import { DemoRun } from './demo-run.ts';
import { Checks, type Verdict } from './output/checks.ts';
import type { Timeline } from './output/timeline.ts';
import { askTheParent } from './steps/ask-the-parent.ts';
import { closeTheServer } from './steps/close-the-server.ts';
import { endAgents } from './steps/end-agents.ts';
import { keepRunning } from './steps/keep-running.ts';
import { killAChild } from './steps/kill-a-child.ts';
import { rollBack } from './steps/roll-back.ts';
import { startAgents } from './steps/start-agents.ts';
import { startPlatform } from './steps/start-platform.ts';

const LONGEST_RUN_MS = 60_000;

/**
 * Runs the steps, clears up whatever happened, and returns the result of each promise.
 * @throws the reason of `interrupted` when that ended the steps; everything is cleared up then as well
 */
export async function runDemo(
  args: DemoArguments,
  timeline: Timeline,
  interrupted: AbortSignal,
): Promise<readonly Verdict[]> {
  const checks = new Checks();
  if (args.keep) checks.leaveOut('paused', 'removed', 'closed', 'stopped');
  const deadline = new Deadline(LONGEST_RUN_MS, interrupted);
  const run = new DemoRun({ break: args.break, timeline, checks, deadline });
  let failure: unknown;
  try {
    await runSteps(run, args.keep ? interrupted : undefined);
  } catch (error) {
    failure = error;
    const message = error instanceof Error ? error.message : String(error);
    if (!interrupted.aborted) timeline.note(`\n${message}${run.errorOutput}`);
  } finally {
    await run.clear();
  }
  const left = run.leftovers;
  checks.record('clean', left.length === 0, () => left.join(', '));
  if (failure === undefined || !interrupted.aborted) return checks.verdicts;
  throw left.length === 0 ? failure : new Error(`Interrupted, but this is left: ${left.join(', ')}`);
}

async function runSteps(run: DemoRun, keepUntil: AbortSignal | undefined): Promise<void> {
  const withPlatform = await startPlatform(run);
  try {
    const withAgents = await startAgents(withPlatform);
    await askTheParent(withAgents);
    await closeTheServer(withAgents);
    await killAChild(withAgents);
    await rollBack(withAgents);
    await (keepUntil === undefined ? endAgents(withAgents) : keepRunning(withAgents, keepUntil));
  } finally {
    await withPlatform.operator.close();
  }
}
