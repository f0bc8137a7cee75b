import type { LogEntry } from '@molecule-tests/harness';
import type { WithAgents } from './context.ts';
import { showMessage } from './evidence.ts';

const IMPOSSIBLE = 'Roll production back to release 3.9';
const REASON = 'There is no release 3.9 any more.';

/** The user orders what cannot be done: ops-desk gives up, and its sender learns why. */
export async function rollBack(context: WithAgents): Promise<void> {
  const { run, operator, lead, desk } = context;
  const { timeline, deadline, checks } = run;
  const { signal } = deadline;
  timeline.step('5  The user orders a roll-back that ops-desk cannot do');
  const answer = await deadline.waitFor(
    'the parent to pass an order on',
    operator.sendMessage(lead.id, IMPOSSIBLE, { signal }),
  );
  const learned = rollBacksOf(context)[0];
  timeline.line('log', lead.name, `what it learned: ${learned?.status}, ${learned?.code}: ${learned?.text}`);
  const record = await operator.getMessage(lead.id, String(learned?.messageId), { signal });
  timeline.line('message', lead.name, `its message to ops-desk is ${record.status}: ${record.code}`);
  showMessage(context, lead, answer);

  const attempts = desk.logged('handling').filter(({ text }) => text === IMPOSSIBLE).length;
  const isLearned = [learned, record].every(
    (end) => end?.status === 'failed' && end.code === 'no_such_release' && end.text === REASON,
  );
  checks.record('gave-up', isLearned && attempts === 1, () => {
    const ends = [learned, record].map((end) => `${end?.status} ${end?.code ?? ''} ${end?.text}`);
    return `${ends.join('; ')}; handled ${attempts}×`;
  });
}

/** What the parent logged about its orders, oldest first. */
function rollBacksOf({ lead }: WithAgents): LogEntry[] {
  return lead.logged('roll-back');
}
