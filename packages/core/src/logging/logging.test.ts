import { describe, expect, it } from 'vitest';
import { TOKEN } from '../../test/agent-ids.ts';
import { ConnectionError } from '../errors/connection-error.ts';
import { recordingLogger } from '../testing/recording-logger.ts';
import { childLogger, silentLogger } from './logger.ts';
import { redactingLogger } from './redacting-logger.ts';

describe('redactingLogger', () => {
  it('removes credentials by key, by pattern and by value, at every depth', () => {
    const target = recordingLogger();
    const logger = redactingLogger(target, ['open-sesame-12345']);
    logger.addSecret('added-later-12345');
    const circular: Record<string, unknown> = { authToken: TOKEN };
    circular.self = circular;
    logger.info(
      {
        authorization: `Bearer ${TOKEN}`,
        nested: { list: [{ apiKey: 'k-123' }, `say open-sesame-12345`, 'added-later-12345!'] },
        error: new ConnectionError('lost', {
          origin: 'http://p',
          delivered: 'no',
          cause: new Error(`Bearer ${TOKEN}`),
        }),
        plain: new Error(`with ${TOKEN}`, { cause: { token: TOKEN } }),
        circular,
        tokens: 12,
        workspaceId: 'w',
      },
      `connected with ${TOKEN}`,
    );
    const written = JSON.stringify(target.lines);
    for (const secret of [TOKEN, 'k-123', 'open-sesame-12345', 'added-later-12345'])
      expect(written).not.toContain(secret);
    expect(target.lines[0]?.fields).toMatchObject({
      tokens: 12,
      workspaceId: 'w',
      error: { code: 'connection_failed' },
    });
    expect(written).toContain('[circular]');
  });

  it('prepares nothing that the logger does not write', () => {
    const recorded = recordingLogger();
    const target = { ...silentLogger, warn: recorded.warn };
    const logger = redactingLogger(target);
    let reads = 0;
    const counted = {
      get count() {
        reads += 1;
        return reads;
      },
    };
    logger.debug(counted, 'not written');
    expect(reads).toBe(0);
    logger.warn({ token: 'x' }, 'written');
    expect(recorded.lines).toEqual([{ level: 'warn', fields: { token: '[redacted]' }, message: 'written' }]);
  });

  it('ignores a logger and fields that throw', () => {
    const logger = redactingLogger({
      ...silentLogger,
      warn: () => {
        throw new Error('disk full');
      },
    });
    const hostile = Object.defineProperty({}, 'x', {
      enumerable: true,
      get: () => {
        throw new Error('boo');
      },
    });
    expect(() => logger.warn({ hostile }, 'still here')).not.toThrow();
  });
});

describe('childLogger', () => {
  it('adds its fields; fields of the line take precedence', () => {
    const target = recordingLogger();
    childLogger(target, { component: 'poll', attempt: 0 }).warn({ attempt: 2 }, 'again');
    expect(target.lines).toEqual([
      { level: 'warn', fields: { component: 'poll', attempt: 2 }, message: 'again' },
    ]);
  });
});
