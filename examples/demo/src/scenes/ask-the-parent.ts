import { readFeed, showMessage, showRows } from './evidence.ts';
import { examineAnswers } from './examine-answers.ts';
import type { FullPlay } from './play.ts';

const QUESTION = 'Can we ship release 4.2?';

/** The user asks the parent; the parent asks its children; each child asks its sibling. */
export async function askTheParent(play: FullPlay): Promise<void> {
  const { timeline, operator, patience, checks, lead, lab, desk, known } = play;
  timeline.scene('3  The user asks the parent, the parent asks its children, they ask each other');
  const answer = await patience.until(
    'the parent to answer the user',
    operator.sendMessage(lead.id, QUESTION, { signal: patience.signal }),
  );

  const rows = (await Promise.all([lead, lab, desk].map((owner) => readFeed(play, owner)))).flat();
  showRows(play, rows);
  showMessage(play, lead, answer);

  const asked = (owner: typeof lead, author: typeof lead) =>
    rows.some((row) => row.owner === owner && row.sourceId === author.id);
  const feedsShow = () => rows.map((row) => `${row.owner.name} ← ${row.sourceId}: ${row.text}`).join('; ');
  checks.examine('asked', asked(lab, lead) && asked(desk, lead), feedsShow);
  checks.examine('siblings', asked(lab, desk) && asked(desk, lab), feedsShow);
  examineAnswers(play);

  const told = rows.find((row) => row.owner === lead && row.direction === 'out')?.text ?? '';
  const isWhole = told.includes(known.lab) && told.includes(known.desk);
  checks.examine('stripped', isWhole && !/A2A_RESULT|peer-text/.test(told), () => `the user read: ${told}`);
}
