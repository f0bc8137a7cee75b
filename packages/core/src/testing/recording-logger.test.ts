import { expect, it } from 'vitest';
import { recordingLogger } from './recording-logger.ts';

it('keeps lines by level, and finds them by their text', () => {
  const logger = recordingLogger();
  logger.debug({ n: 1 }, 'Reading.');
  logger.warn({ code: 'timed_out' }, 'The feed could not be read.');
  logger.error({}, 'Given up.');
  logger.info({}, 'Reading again.');
  expect(logger.messages()).toEqual([
    'Reading.',
    'The feed could not be read.',
    'Given up.',
    'Reading again.',
  ]);
  expect(logger.messages('warn')).toEqual(['The feed could not be read.']);
  expect(logger.find('could not')).toEqual({
    level: 'warn',
    fields: { code: 'timed_out' },
    message: 'The feed could not be read.',
  });
  expect(logger.find(/^reading/i, 'info')?.message).toBe('Reading again.');
  expect(logger.find('Given up.', 'warn')).toBeUndefined();
  logger.clear();
  expect(logger.lines).toEqual([]);
});

it('keeps the latest lines of very many', () => {
  const logger = recordingLogger();
  for (let n = 0; n < 100_010; n += 1) logger.debug({ n }, 'line');
  expect([logger.lines.length, logger.lines[0]?.fields]).toEqual([100_000, { n: 10 }]);
});
