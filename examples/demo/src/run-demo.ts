import type { DemoArguments } from './arguments.ts';
import { Checks, type Verdict } from './output/checks.ts';
import { Patience } from './output/patience.ts';
import type { Timeline } from './output/timeline.ts';
import { askTheParent } from './scenes/ask-the-parent.ts';
import { bringInTheAgents } from './scenes/bring-in-the-agents.ts';
import { keepItRunning } from './scenes/keep-it-running.ts';
import { killAChild } from './scenes/kill-a-child.ts';
import { openThePlatform } from './scenes/open-the-platform.ts';
import type { Play } from './scenes/play.ts';
import { sayGoodbye } from './scenes/say-goodbye.ts';
import { Stage } from './stage/stage.ts';

const LONGEST_RUN_MS = 45_000;

/**
 * Runs the scenes, clears the stage whatever happened, and gives what came of each promise.
 * @throws the reason of `interrupted`, when that is what ended the scenes; the stage is clear then as well.
 */
export async function runDemo(
  args: DemoArguments,
  timeline: Timeline,
  interrupted: AbortSignal,
): Promise<readonly Verdict[]> {
  const stage = new Stage();
  const checks = new Checks();
  if (args.keep) checks.leaveOut('paused', 'removed', 'stopped');
  const patience = new Patience(LONGEST_RUN_MS, interrupted);
  let failure: unknown;
  try {
    const play = { break: args.break, stage, checks, timeline, patience };
    await runScenes(play, args.keep ? interrupted : undefined);
  } catch (error) {
    failure = error;
    if (!interrupted.aborted) timeline.note(`\n${describe(error)}${stage.complaints}`);
  } finally {
    await stage.clear();
  }
  const left = stage.leftovers;
  checks.examine('clean', left.length === 0, () => left.join(', '));
  if (failure === undefined || !interrupted.aborted) return checks.verdicts;
  throw left.length === 0 ? failure : new Error(`Interrupted, but this is left: ${left.join(', ')}`);
}

async function runScenes(play: Play, keepUntil: AbortSignal | undefined): Promise<void> {
  const open = await openThePlatform(play);
  try {
    const full = await bringInTheAgents(open);
    await askTheParent(full);
    await killAChild(full);
    await (keepUntil === undefined ? sayGoodbye(full) : keepItRunning(full, keepUntil));
  } finally {
    await open.operator.close();
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
