import { describe, expect, it } from 'vitest';
import { TOKEN } from '../../test/agent-ids.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { redactingLogger } from './redacting-logger.ts';
import { stderrLogger } from './stderr-logger.ts';

function written(log: (logger: ReturnType<typeof stderrLogger>) => void, isTerminal = true): string[] {
  const lines: string[] = [];
  log(stderrLogger({ write: (line) => lines.push(line), isTerminal }));
  return lines;
}

const lost = new MoleculeError('Lost\nthe connection.', {
  code: 'connection_failed',
  hint: 'Check the network.',
  cause: new TypeError('bad'),
});

describe('the default logger', () => {
  it('writes warnings and errors, and nothing below', () => {
    const lines = written((logger) => {
      logger.debug({}, 'debug');
      logger.info({}, 'info');
      logger.warn({ attempt: 2, stage: 'handler', hint: 'See there.' }, 'It failed.');
      logger.error({ note: 'two words' }, 'It was given up.');
    });
    expect(lines).toEqual([
      expect.stringMatching(/^\S+Z molecule WARN It failed\. attempt=2 stage=handler\n {2}See there\.\n$/),
      expect.stringMatching(/^\S+Z molecule ERROR It was given up\. note="two words"\n$/),
    ]);
  });

  it('writes an error on a terminal with its code, hint, frames and causes, below each other', () => {
    const [text = ''] = written((logger) => redactingLogger(logger).error({ error: lost }, 'No.'));
    const [first, error, hint, frame = '', ...more] = text.split('\n');
    expect(first).toMatch(/molecule ERROR No\.$/);
    expect([error, hint]).toEqual([
      '  MoleculeError (connection_failed): Lost the connection.',
      '  Check the network.',
    ]);
    expect(frame).toMatch(/^ {4}at .*stderr-logger\.test\.ts/);
    expect(more).toContain('  caused by TypeError: bad');
  });

  it('writes one line of JSON elsewhere', () => {
    const lines = written(
      (logger) => redactingLogger(logger).error({ error: lost, attempt: 2 }, 'No.'),
      false,
    );
    expect(lines).toHaveLength(1);
    expect(lines[0]?.indexOf('\n')).toBe((lines[0]?.length ?? 0) - 1);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      time: expect.stringMatching(/Z$/),
      level: 'error',
      message: 'No.',
      attempt: 2,
      error: {
        name: 'MoleculeError',
        message: 'Lost\nthe connection.',
        code: 'connection_failed',
        hint: 'Check the network.',
        stack: expect.arrayContaining([expect.stringContaining('stderr-logger.test.ts')]),
        cause: { name: 'TypeError', message: 'bad' },
      },
    });
  });

  it('leaves the frames out of a warning about a failed connection', () => {
    const other = new MoleculeError('No.', { code: 'not_found' });
    const [warned = '', given = '', notFound = ''] = written((logger) => {
      redactingLogger(logger).warn({ error: lost }, 'Again.');
      redactingLogger(logger).error({ error: lost }, 'Given up.');
      redactingLogger(logger).warn({ error: other }, 'Not there.');
    });
    expect(warned).not.toContain(' at ');
    expect(given).toContain(' at ');
    expect(notFound).toContain(' at ');
  });

  it('writes no credential, and no control character for a terminal', () => {
    const hostile = {
      text: `\u001b[31mred ${TOKEN}`,
      error: new Error('with open-sesame-12345\u001b'),
      token: 'x'.repeat(20),
    };
    for (const isTerminal of [true, false]) {
      const [line = ''] = written(
        (logger) => redactingLogger(logger, ['open-sesame-12345']).warn(hostile, 'A line.\r\nAnother.'),
        isTerminal,
      );
      for (const secret of [TOKEN, 'open-sesame-12345', 'x'.repeat(20), '\u001b', '\r'])
        expect(line).not.toContain(secret);
    }
  });

  it('writes whatever a handler threw', () => {
    const circle: Record<string, unknown> = { name: 'n', message: 'm' };
    circle.cause = circle;
    circle.self = circle;
    const refuse = () => {
      throw new Error('refused');
    };
    const thrown = [
      circle,
      { a: circle },
      10n,
      Symbol('s'),
      new Proxy({}, { get: refuse, ownKeys: refuse }),
      null,
    ];
    thrown.push(Object.defineProperty(new Error('e'), 'code', { get: refuse }) as never);
    for (const isTerminal of [true, false]) {
      const lines = written((logger) => {
        for (const error of thrown) logger.error({ error }, 'Failed.');
        for (const error of thrown) redactingLogger(logger).error({ error }, 'Failed.');
      }, isTerminal);
      expect(lines).toHaveLength(2 * thrown.length);
    }
  });
});
