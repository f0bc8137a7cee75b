import { checkAnswers } from './check-answers.ts';
import type { WithAgents } from './context.ts';
import { readFeed, showMessage, showRows } from './evidence.ts';
import { checkPieces, readStream } from './read-stream.ts';

const QUESTION = 'Can we ship release 4.2?';

/** The user asks the parent; the parent asks its children; two of them ask each other. */
export async function askTheParent(context: WithAgents): Promise<void> {
  const { lead, lab, desk, board, known } = context;
  const { timeline, deadline, checks } = context.run;
  timeline.step('3  The user asks the parent, the parent asks its children, two of them ask each other');
  const answer = await deadline.waitFor('the parent to answer the user', readStream(context, QUESTION));

  const rows = (await Promise.all([lead, lab, desk, board].map((owner) => readFeed(context, owner)))).flat();
  showRows(context, rows);
  showMessage(context, lead, answer);

  const asked = (owner: typeof lead, author: typeof lead) =>
    // A direct call is in no feed, but in the log of who was called.
    rows.some((row) => row.owner === owner && row.sourceId === author.id) ||
    owner.logged('handling').some(({ from }) => from === author.id);
  const feedsShow = () => rows.map((row) => `${row.owner.name} ← ${row.sourceId}: ${row.text}`).join('; ');
  checks.record(
    'asked',
    [lab, desk, board].every((child) => asked(child, lead)),
    feedsShow,
  );
  checks.record('siblings', asked(lab, desk) && asked(desk, lab), feedsShow);
  checkAnswers(context, rows);
  checkPieces(context);

  const text = rows.find((row) => row.owner === lead && row.direction === 'out')?.text ?? '';
  const isWhole = Object.values(known).every((fact) => text.includes(fact));
  checks.record('stripped', isWhole && !/A2A_RESULT|peer-text/.test(text), () => `the user read: ${text}`);
}
