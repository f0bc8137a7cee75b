import type { AgentProcess } from '../agent-process.ts';
import { within } from '../deadline.ts';
import type { WithAgents } from './context.ts';
import { showExit, showWorkspace } from './evidence.ts';

const EXIT_WITHIN_MS = 5_000;

/** Pauses one child, removes the second, asks the third and the parent to stop: each agent ends by itself. */
export async function endAgents(context: WithAgents): Promise<void> {
  const { operator, lead, lab, desk, board } = context;
  const { timeline, deadline } = context.run;
  const { signal } = deadline;
  timeline.step('7  test-lab is paused, ops-desk is removed, change-board and release-lead get SIGTERM');
  await operator.pause(lab.id, { signal });
  await checkEnd(context, lab, 'paused');
  await operator.deleteWorkspace(desk.id, { signal });
  await checkEnd(context, desk, 'removed');
  board.process.signal('SIGTERM');
  await checkClosing(context);
  lead.process.signal('SIGTERM');
  await checkEnd(context, lead, 'stopped');
}

/** An application ends its agent before its own providers, which may be what a handler works with. */
async function checkClosing(context: WithAgents): Promise<void> {
  const { board } = context;
  const { timeline, checks, deadline } = context.run;
  const exit = await deadline.waitFor('change-board to end', within(EXIT_WITHIN_MS, board.process.exit));
  if (exit !== undefined) showExit(context, board, exit);
  else board.process.signal('SIGKILL');
  const events = board.process.log.entries.map(({ event }) => String(event));
  const last = events.slice(-2).join(', then ');
  timeline.line('log', board.name, last);
  checks.record(
    'closed',
    exit?.code === 0 && last === 'ended, then calendar-closed',
    () => `${last}; ${exit?.code}`,
  );
}

async function checkEnd(
  context: WithAgents,
  agent: AgentProcess,
  outcome: 'paused' | 'removed' | 'stopped',
): Promise<void> {
  const { timeline, checks, deadline } = context.run;
  if (outcome !== 'stopped') await showWorkspace(context, agent);
  const exit = await deadline.waitFor(`${agent.name} to end`, within(EXIT_WITHIN_MS, agent.process.exit));
  const said = agent.logged('ended').at(-1)?.outcome;
  if (said !== undefined) timeline.line('log', agent.name, `the agent ended: ${said}`);
  if (exit !== undefined) showExit(context, agent, exit);
  checks.record(outcome, exit?.code === 0 && said === outcome, () => {
    const ending = exit === undefined ? 'still runs' : `ended with ${exit.signal ?? exit.code}`;
    return `the process ${ending}, the agent said: ${said ?? 'nothing'}`;
  });
  if (exit === undefined) agent.process.signal('SIGKILL');
}
