import type { LogEntry } from '@molecule-tests/harness';
import type { WithAgents } from './context.ts';
import { showMessage } from './evidence.ts';

const IMPOSSIBLE = 'Roll production back to release 3.9';
const POSSIBLE = 'Roll production back to release 4.1';
const REASON = 'There is no release 3.9 any more.';
const DONE = 'Production runs release 4.1 again.';

/** The user orders two roll-backs: ops-desk gives the first up, and asks the user before the second. */
export async function rollBack(context: WithAgents): Promise<void> {
  context.run.timeline.step(
    '6  The user orders a roll-back that cannot be done, and one that needs approval',
  );
  await checkFailure(context, await order(context, IMPOSSIBLE));
  await checkApproval(context, await order(context, POSSIBLE));
}

/** Sends an order to the parent, which passes it on; returns what the parent learned of its own message. */
async function order(context: WithAgents, text: string): Promise<LogEntry> {
  const { run, operator, lead } = context;
  const { signal } = run.deadline;
  const answer = await run.deadline.waitFor(
    'the parent to pass an order on',
    operator.sendMessage(lead.id, text, { signal }),
  );
  const learned = lead.logged('roll-back').at(-1) ?? {};
  const said = `${learned.status}, ${learned.code ?? 'no code'}: ${learned.text}`;
  run.timeline.line('log', lead.name, `what it learned: ${said}`);
  showMessage(context, lead, answer);
  return learned;
}

/** An agent that gives up: its sender learns why, and the platform records the same. */
async function checkFailure({ run, operator, lead, desk }: WithAgents, learned: LogEntry): Promise<void> {
  const { timeline, checks, deadline } = run;
  const { signal } = deadline;
  const record = await operator.getMessage(lead.id, String(learned.messageId), { signal });
  timeline.line('message', lead.name, `its message to ops-desk is ${record.status}: ${record.code}`);
  const attempts = desk.logged('handling').filter(({ text }) => text === IMPOSSIBLE).length;
  const isLearned = [learned, record].every(
    ({ status, code, text }) => status === 'failed' && code === 'no_such_release' && text === REASON,
  );
  checks.record('gave-up', isLearned && attempts === 1, () => {
    const ends = [learned, record].map(({ status, code, text }) => `${status} ${code ?? ''} ${text}`);
    return `${ends.join('; ')}; handled ${attempts}×`;
  });
}

/** An approval that only the user may give: not the peer that caused the action, whatever it says. */
async function checkApproval({ run, operator, lead, desk }: WithAgents, learned: LogEntry): Promise<void> {
  const { timeline, checks, deadline } = run;
  const { signal } = deadline;
  const [question] = await operator.listQuestions(desk.id, { state: 'open', signal });
  timeline.line('platform', desk.name, `open question to the ${question?.from}: ${question?.text}`);
  for (const { text } of lead.logged('said-yes')) {
    timeline.line('log', lead.name, `it said yes, and ops-desk said: ${text}`);
  }
  const isUndecided = question?.decision === null && desk.logged('rolled-back').length === 0;
  const hasSaidYes = lead.logged('said-yes').length === 1;
  checks.record(
    'undecided',
    isUndecided && hasSaidYes && learned.status === 'input-required',
    () =>
      `the message is ${learned.status}, the question ${question?.state ?? 'gone'}, said yes ${lead.logged('said-yes').length}×, done ${desk.logged('rolled-back').length}×`,
  );

  if (question !== undefined) {
    const { answeredBy } = await operator.answerQuestion(
      desk.id,
      question.id,
      { decision: 'approve' },
      { signal },
    );
    timeline.line('platform', desk.name, `approved by the ${answeredBy}`);
  }
  const late = await deadline.waitFor(
    'the answer to the order that was approved',
    lead.process.waitForLog(
      (entries) =>
        entries.find(
          ({ event, inReplyTo, text }) =>
            event === 'late-answer' && inReplyTo === learned.messageId && text === DONE,
        ),
      signal,
    ),
  );
  timeline.line('log', lead.name, `late answer of ops-desk: ${late.text}`);
  const record = await operator.getMessage(lead.id, String(learned.messageId), { signal });
  timeline.line('message', lead.name, `its message to ops-desk is ${record.status}`);
  const acts = desk.logged('rolled-back');
  const isOnce = acts.length === 1 && acts[0]?.approvedBy === 'operator';
  checks.record('approved', isOnce && record.status === 'answered' && record.text === DONE, () => {
    const by = acts.map(({ approvedBy }) => approvedBy).join(', ');
    return `done ${acts.length}× (approved by ${by || 'nobody'}), the message is ${record.status}: ${record.text}`;
  });
}
