import { readFeed, showExit, showMessage, showRows, showWorkspace, waitForRows } from './evidence.ts';
import { examineOnce } from './examine-once.ts';
import type { FullPlay } from './play.ts';

const QUESTIONS = ['How is production?', 'And how is it now?'];

/** Kills a child without warning, writes to it twice, starts it again. */
export async function killAChild(play: FullPlay): Promise<void> {
  const { timeline, operator, patience, checks, stage, desk } = play;
  const { signal } = patience;
  timeline.scene('4  ops-desk is killed, written to twice, and started again');
  desk.actor.signal('SIGKILL');
  showExit(play, desk, await patience.until('ops-desk to be killed', desk.actor.exit));

  const lastId = (await readFeed(play, desk)).at(-1)?.id;
  const calls = Promise.all(QUESTIONS.map((text) => operator.sendMessage(desk.id, text, { signal })));
  calls.catch(() => {});
  const waiting = await patience.until(
    'the platform to store two messages',
    waitForRows(play, desk, QUESTIONS.length, lastId),
  );
  showRows(play, waiting);
  const isQueued = waiting.every(({ deliveryState }) => deliveryState === 'pending');
  checks.examine('queued', isQueued && waiting.length === 2, () =>
    waiting.map(({ deliveryState }) => deliveryState).join(', '),
  );

  await patience.until('ops-desk to come back', desk.start(stage, signal));
  await showWorkspace(play, desk);
  const answers = await patience.until('ops-desk to answer two messages', calls);
  for (const answer of answers) showMessage(play, desk, answer);
  await examineOnce(
    play,
    waiting.map(({ messageId }) => messageId),
  );
}
