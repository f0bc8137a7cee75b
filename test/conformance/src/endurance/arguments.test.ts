import { describe, expect, it } from 'vitest';
import { parseArguments, UsageError, usage } from './arguments.ts';

describe('parseArguments', () => {
  it('has defaults that kill often', () => {
    expect(parseArguments([])).toMatchObject({ kill: 'platform', messages: 2_000, kills: 34, keep: false });
    expect(parseArguments(['--messages=10']).kills).toBe(8);
    expect(parseArguments(['--', '--kill', 'agents', '--seed', '5', '--kills=3', '--keep'])).toMatchObject({
      kill: 'agents',
      seed: 5,
      kills: 3,
      keep: true,
    });
  });

  it.each([
    ['--kill=everything', /platform or agents/],
    ['--only=everything', /messages or heartbeats/],
    ['--messages=0', /--messages must be a whole number from 1/],
    ['--seed=x', /--seed/],
    ['--kills=1.5', /--kills/],
    ['--messages=', /--messages/],
    ['--nonsense', /nonsense/],
    ['stray', /stray/],
  ])('refuses %s', (argument, message) => {
    expect(() => parseArguments([argument])).toThrow(UsageError);
    expect(() => parseArguments([argument])).toThrow(message);
  });

  it('describes every option', () => {
    for (const name of ['only', 'messages', 'kill', 'kills', 'seed', 'keep', 'help'])
      expect(usage()).toContain(`--${name}`);
  });
});
