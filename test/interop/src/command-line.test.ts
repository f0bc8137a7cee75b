import { expect, it } from 'vitest';
import { readCommandLine, USAGE } from './command-line.ts';

it('checks without options, records, and shows the usage', () => {
  expect(readCommandLine([])).toEqual({ kind: 'check' });
  expect(readCommandLine(['--record'])).toEqual({ kind: 'record' });
  expect(readCommandLine(['--record', '--help'])).toEqual({ kind: 'help' });
  expect(readCommandLine(['-h'])).toEqual({ kind: 'help' });
  expect(USAGE).toContain('--record');
});

it.each([
  ['--recrod', '--recrod'],
  ['js', 'js'],
  ['--record=yes', '--record'],
])('refuses %s and names it', (given, named) => {
  expect(readCommandLine([given])).toEqual({ kind: 'invalid', message: expect.stringContaining(named) });
});
