import type { ModelMessage } from 'ai';
import { isToBeFenced } from './surface.ts';

type Output = Extract<
  Extract<ModelMessage, { role: 'tool' }>['content'][number],
  { type: 'tool-result' }
>['output'];

const CALL = { toolCallId: 'call_0', toolName: 'read_mail' };
const QUESTION: ModelMessage = { role: 'user', content: 'What is it?' };

/** A prompt for each kind of part in which an application has a text, also in two parts that follow each other. */
export function promptsWith(text: string): readonly ModelMessage[][] {
  const cut = piecesOfMarker(text);
  const base64 = Buffer.from(text).toString('base64');
  const file = { type: 'file' as const, data: base64, mediaType: 'text/plain', filename: text };
  const outputs: readonly Output[] = [
    { type: 'text', value: text },
    { type: 'error-text', value: text },
    { type: 'json', value: { note: text, list: [{ [text]: true }] } },
    { type: 'error-json', value: [text] },
    { type: 'content', value: [{ type: 'text', text }] },
    ...(cut.length === 0 ? [] : [{ type: 'content' as const, value: cut }]),
    { type: 'execution-denied', reason: text },
  ];
  return [
    [{ role: 'user', content: text }],
    [{ role: 'user', content: [{ type: 'text', text: 'See the file.' }, file] }],
    [QUESTION, { role: 'assistant', content: text }, QUESTION],
    [QUESTION, { role: 'assistant', content: [{ type: 'reasoning', text }] }, QUESTION],
    calling({ note: text, list: [{ [text]: true }] }, { type: 'text', value: 'Nothing.' }),
    ...outputs.map((output) => calling({}, output)),
    ...(cut.length === 0
      ? []
      : [
          [{ role: 'user' as const, content: cut }],
          [QUESTION, { role: 'assistant' as const, content: cut }, QUESTION],
        ]),
  ];
}

/** The text in two parts, neither of which has a marker; none where every cut leaves one. */
function piecesOfMarker(text: string): { type: 'text'; text: string }[] {
  if (!isToBeFenced(text)) return [];
  // The later the cut, the more of the markers are in the first part. So only the first cut matters that leaves none in the second.
  let [before, at] = [0, text.length];
  while (at - before > 1) {
    const middle = (before + at) >> 1;
    if (isToBeFenced(text.slice(middle))) before = middle;
    else at = middle;
  }
  if (at === text.length || isToBeFenced(text.slice(0, at))) return [];
  return [text.slice(0, at), text.slice(at)].map((piece) => ({ type: 'text', text: piece }));
}

function calling(input: object, output: Output): ModelMessage[] {
  return [
    QUESTION,
    { role: 'assistant', content: [{ type: 'tool-call', ...CALL, input }] },
    { role: 'tool', content: [{ type: 'tool-result', ...CALL, output }] },
  ];
}
