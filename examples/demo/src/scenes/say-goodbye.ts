import type { Exit } from '../stage/actor.ts';
import type { Member } from '../stage/member.ts';
import { showExit, showWorkspace } from './evidence.ts';
import type { FullPlay } from './play.ts';

const LONGEST_FAREWELL_MS = 5_000;

/** Pauses one child, removes the other, asks the parent to stop: each agent ends by itself. */
export async function sayGoodbye(play: FullPlay): Promise<void> {
  const { timeline, operator, patience, lead, lab, desk } = play;
  const { signal } = patience;
  timeline.scene('5  test-lab is paused, ops-desk is removed, release-lead gets SIGTERM');
  await operator.pause(lab.id, { signal });
  await examineEnd(play, lab, 'paused');
  await operator.deleteWorkspace(desk.id, { signal });
  await examineEnd(play, desk, 'removed');
  lead.actor.signal('SIGTERM');
  await examineEnd(play, lead, 'stopped');
}

async function examineEnd(
  play: FullPlay,
  member: Member,
  outcome: 'paused' | 'removed' | 'stopped',
): Promise<void> {
  const { timeline, checks, patience } = play;
  if (outcome !== 'stopped') await showWorkspace(play, member);
  const exit = await patience.until(`${member.name} to end`, within(LONGEST_FAREWELL_MS, member.actor.exit));
  const said = member.actor.log.about('ended').at(-1)?.outcome;
  if (said !== undefined) timeline.line('log', member.name, `the agent ended: ${said}`);
  if (exit !== undefined) showExit(play, member, exit);
  checks.examine(outcome, exit?.code === 0 && said === outcome, () => {
    const process = exit === undefined ? 'still runs' : `ended with ${exit.signal ?? exit.code}`;
    return `the process ${process}, the agent said: ${said ?? 'nothing'}`;
  });
  if (exit === undefined) member.actor.signal('SIGKILL');
}

/** The exit, or undefined when the process still runs after so many milliseconds. */
async function within(milliseconds: number, exit: Promise<Exit>): Promise<Exit | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds);
  });
  try {
    return await Promise.race([exit, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
