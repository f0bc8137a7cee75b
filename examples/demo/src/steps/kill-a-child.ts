import { checkOnce } from './check-once.ts';
import type { WithAgents } from './context.ts';
import { readFeed, showExit, showMessage, showRows, showWorkspace, waitForRows } from './evidence.ts';

const QUESTIONS = ['How is production?', 'And how is it now?'];

/** Kills a child without warning, writes to it twice, starts it again. */
export async function killAChild(context: WithAgents): Promise<void> {
  const { run, operator, desk } = context;
  const { timeline, deadline, checks } = run;
  const { signal } = deadline;
  timeline.step('4  ops-desk is killed, written to twice, and started again');
  desk.process.signal('SIGKILL');
  showExit(context, desk, await deadline.waitFor('ops-desk to be killed', desk.process.exit));

  const lastId = (await readFeed(context, desk)).at(-1)?.id;
  const calls = Promise.all(QUESTIONS.map((text) => operator.sendMessage(desk.id, text, { signal })));
  calls.catch(() => {});
  const waiting = await deadline.waitFor(
    'the platform to store two messages',
    waitForRows(context, desk, QUESTIONS.length, lastId),
  );
  showRows(context, waiting);
  const isQueued = waiting.every(({ deliveryState }) => deliveryState === 'pending');
  checks.record('queued', isQueued && waiting.length === 2, () =>
    waiting.map(({ deliveryState }) => deliveryState).join(', '),
  );

  await deadline.waitFor('ops-desk to come back', desk.start(run));
  await showWorkspace(context, desk);
  const answers = await deadline.waitFor('ops-desk to answer two messages', calls);
  for (const answer of answers) showMessage(context, desk, answer);
  await checkOnce(
    context,
    waiting.map(({ messageId }) => messageId),
  );
}
