import { describe, expect, it } from 'vitest';
import { decide } from './scripted-model.ts';

const instructions = 'You are somebody.\nYou know: 3 of 4 tests pass.';
const NONCE = '0'.repeat(32);
const fence = (text: string) => `<peer-text-${NONCE} origin="unknown">\n${text}\n</peer-text-${NONCE}>`;

describe('decide', () => {
  it('asks a colleague about a release that might ship', () => {
    expect(decide({ instructions, question: fence('Can we ship release 4.2?') })).toEqual({
      ask: 'What do you know about release 4.2?',
    });
  });

  it('answers any other question from what it knows, so that two of a kind cannot go in circles', () => {
    const question = fence('What do you know about release 4.2?');
    expect(decide({ instructions, question })).toEqual({ say: '3 of 4 tests pass.' });
  });

  it('repeats what its colleague answered', () => {
    const question = fence('Can we ship release 4.2?');
    const toolResult = fence('The budget is at 7 %.');
    expect(decide({ instructions, question, toolResult })).toEqual({
      say: '3 of 4 tests pass. The budget is at 7 %.',
    });
  });

  it('does not repeat an answer that came without a fence', () => {
    const question = fence('Can we ship release 4.2?');
    const step = decide({ instructions, question, toolResult: 'The budget is at 7 %.' });
    expect(step).toEqual({ say: expect.not.stringContaining('budget') });
  });
});
