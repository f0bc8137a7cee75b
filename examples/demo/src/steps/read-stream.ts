import type { PeerReply } from '@molecule-ai/core/operator';
import { insideFence } from '@molecule-tests/harness';
import type { WithAgents } from './context.ts';

/** The user asks the parent and reads its answer while it is made. */
export async function readStream({ run, operator, lead }: WithAgents, question: string): Promise<PeerReply> {
  const { timeline, checks, deadline } = run;
  const { signal } = deadline;
  const stream = operator.streamMessage(lead.id, question, { signal });
  const pieces: { readonly text: string; readonly status: PeerReply['status'] }[] = [];
  for await (const text of stream) {
    const { status } = await operator.getMessage(lead.id, stream.messageId, { signal });
    pieces.push({ text, status });
    const when = status === 'queued' ? 'while it is being made' : `once it is ${status}`;
    timeline.line('stream', lead.name, `${when}: ${JSON.stringify(text)}`);
  }
  const early = pieces.filter(({ status }) => status === 'queued');
  checks.record(
    'streamed',
    early.length > 1,
    () => `${early.length} of ${pieces.length} came before the end`,
  );
  const stored = await operator.getMessage(lead.id, stream.messageId, { signal });
  const joined = pieces.map(({ text }) => text).join('');
  checks.record(
    'joined',
    stored.status === 'answered' && stored.text !== '' && stored.text === joined,
    () => `joined: ${joined}; stored, ${stored.status}: ${stored.text}`,
  );
  return await stream.reply();
}

/** What the parent logged about each piece of the child whose answers the platform carries, and marks. */
export function checkPieces({ run, lead, lab }: WithAgents): void {
  const pieces = lead.logged('piece').filter(({ from }) => from === lab.name);
  const whole = lead.logged('answer').find(({ from }) => from === lab.name);
  for (const { piece } of pieces) {
    run.timeline.line('log', lead.name, `a piece of ${lab.name}’s answer: ${JSON.stringify(piece)}`);
  }
  let read = '';
  const isFenced = pieces.map(({ piece, forModel }) => {
    read += piece;
    return insideFence(String(forModel)) === read;
  });
  run.checks.record(
    'peer-pieces',
    pieces.length > 1 &&
      isFenced.every(Boolean) &&
      whole?.via === 'proxy' &&
      whole.text === read &&
      !read.includes('A2A_RESULT'),
    () =>
      `${pieces.length} pieces: ${read}; the whole, ${whole?.via}: ${whole?.text}; fenced: ${isFenced.join(', ')}`,
  );
}
