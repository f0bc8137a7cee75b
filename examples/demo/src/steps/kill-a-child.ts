import { checkOnce } from './check-once.ts';
import type { WithAgents } from './context.ts';
import { readFeed, showExit, showMessage, showRows, showWorkspace, waitForRows } from './evidence.ts';

const QUESTIONS = ['How are the tests?', 'And how are they now?'];

/** Kills a child without warning, writes to it twice, starts it again. */
export async function killAChild(context: WithAgents): Promise<void> {
  const { run, operator, lab } = context;
  const { timeline, deadline, checks } = run;
  const { signal } = deadline;
  timeline.step('5  test-lab is killed, written to twice, and started again');
  lab.process.signal('SIGKILL');
  showExit(context, lab, await deadline.waitFor('test-lab to be killed', lab.process.exit));

  const lastId = (await readFeed(context, lab)).at(-1)?.id;
  const calls = Promise.all(QUESTIONS.map((text) => operator.sendMessage(lab.id, text, { signal })));
  calls.catch(() => {});
  const waiting = await deadline.waitFor(
    'the platform to store two messages',
    waitForRows(context, lab, QUESTIONS.length, lastId),
  );
  showRows(context, waiting);
  const isQueued = waiting.every(({ deliveryState }) => deliveryState === 'pending');
  checks.record('queued', isQueued && waiting.length === 2, () =>
    waiting.map(({ deliveryState }) => deliveryState).join(', '),
  );

  await deadline.waitFor('test-lab to come back', lab.start(run));
  await showWorkspace(context, lab);
  const answers = await deadline.waitFor('test-lab to answer two messages', calls);
  for (const answer of answers) showMessage(context, lab, answer);
  await checkOnce(
    context,
    waiting.map(({ messageId }) => messageId),
  );
}
