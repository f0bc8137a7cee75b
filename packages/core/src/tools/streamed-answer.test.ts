import { wrapA2aBoundary } from '@molecule-ai/protocol';
import { expect, it } from 'vitest';
import { fencePeerText } from '../trust-boundary/fence.ts';
import { StreamedAnswer } from './streamed-answer.ts';

it('separates turns, and removes markers that come in pieces', async () => {
  const sent: string[] = [];
  const answer = new StreamedAnswer(async (text) => void sent.push(text));
  for (const piece of ['Let me ', 'look.']) await answer.push(piece, 1);
  for (const piece of wrapA2aBoundary('It works')) await answer.push(piece, 2);
  await answer.push('', 3);
  await answer.push('!', 2);
  await answer.end();
  expect(sent.join('')).toBe('Let me look.\n\nIt works!');
  expect(answer.said).toBe('Let me look.\n\nIt works!');
  expect(answer.lastSaid).toBe('It works!');
  expect(answer.restOf(`${wrapA2aBoundary('It works')}!`)).toBe('');
});

it('removes the tags of a fence that come in pieces', async () => {
  const sent: string[] = [];
  const answer = new StreamedAnswer(async (text) => void sent.push(text));
  const said = `It said: ${fencePeerText('yes', { origin: 'unknown' })}!`;
  for (const piece of said) await answer.push(piece, 1);
  await answer.end();
  expect(sent.join('')).toBe('It said: yes!');
  expect(answer.restOf(said)).toBe('');
});

it('keeps half a marker in which a model stopped', async () => {
  const sent: string[] = [];
  const answer = new StreamedAnswer(async (text) => void sent.push(text));
  await answer.push('So [A2A_RES', 1);
  await answer.end();
  expect(sent.join('')).toBe('So [A2A_RES');
});

it('leaves out half a marker in which a framework ended the stream, and not the model', async () => {
  const sent: string[] = [];
  const answer = new StreamedAnswer(async (text) => void sent.push(text));
  await answer.push('So [/A2A_RESULT_FR', 1);
  await answer.end('So it is.');
  expect(sent.join('')).toBe('So ');
  expect(answer.restOf('So [/A2A_RESULT_FROM_PEER]it is.')).toBe('it is.');
});
