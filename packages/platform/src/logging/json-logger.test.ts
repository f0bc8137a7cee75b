import { describe, expect, it } from 'vitest';
import { createJsonLogger } from './json-logger.ts';

describe('the JSON log', () => {
  it('is one object a line with level, time, fields and message', () => {
    const lines: string[] = [];
    const logger = createJsonLogger({ write: (line) => lines.push(line) });
    logger.debug({}, 'not written');
    logger.warn({ workspaceId: 'w', attempts: 2, skipped: undefined }, 'Push failed');
    expect(lines).toHaveLength(1);
    const [line = ''] = lines;
    expect(line.endsWith('}\n')).toBe(true);
    expect(JSON.parse(line)).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      workspaceId: 'w',
      attempts: 2,
      message: 'Push failed',
    });
  });

  it('writes nothing when it is silent', () => {
    const lines: string[] = [];
    createJsonLogger({ level: 'silent', write: (line) => lines.push(line) }).error({}, 'not written');
    expect(lines).toEqual([]);
  });
});
