import { describe, expect, it } from 'vitest';
import { BREAKS, parseArguments, UsageError, usage } from './arguments.ts';

describe('parseArguments', () => {
  it('knows each way to break the demo, and describes it', () => {
    for (const name of Object.keys(BREAKS)) {
      expect(parseArguments([`--break=${name}`]).break).toBe(name);
      expect(usage()).toContain(name);
    }
  });

  it('lists what is possible when a value is wrong', () => {
    expect(() => parseArguments(['--break=nothing'])).toThrow(
      /drop-reply, double, no-server, at-once, push-only, no-wrap, hide-failure, obey-peer, keep-alive/,
    );
    expect(() => parseArguments(['--break=toString'])).toThrow(UsageError);
  });

  it.each([[['--nonsense']], [['stray']], [['--break']], [['--break=double', '--keep']]])(
    'refuses %j',
    (argv) => {
      expect(() => parseArguments(argv)).toThrow(UsageError);
    },
  );

  it('passes over the two dashes that package managers leave', () => {
    expect(parseArguments(['--', '--keep']).keep).toBe(true);
  });
});
