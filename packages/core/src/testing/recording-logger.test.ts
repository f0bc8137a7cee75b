import { expect, it } from 'vitest';
import { recordingLogger } from './recording-logger.ts';

it('keeps the latest lines of very many', () => {
  const logger = recordingLogger();
  for (let n = 0; n < 100_010; n += 1) logger.debug({ n }, 'line');
  expect([logger.lines.length, logger.lines[0]?.fields]).toEqual([100_000, { n: 10 }]);
});
