import { describe, expect, it } from 'vitest';
import { TOKEN } from '../../test/agent-ids.ts';
import { MoleculeError } from '../errors/molecule-error.ts';
import { redactingLogger } from './redacting-logger.ts';
import { stderrLogger } from './stderr-logger.ts';

function written(log: (logger: ReturnType<typeof stderrLogger>) => void): string[] {
  const lines: string[] = [];
  log(stderrLogger((line) => lines.push(line)));
  return lines;
}

describe('the default logger', () => {
  it('writes warnings and errors, and nothing below', () => {
    const lines = written((logger) => {
      logger.debug({}, 'debug');
      logger.info({}, 'info');
      logger.warn({ attempt: 2, stage: 'handler' }, 'It failed.');
      logger.error({ note: 'two words' }, 'It was given up.');
    });
    expect(lines).toEqual([
      expect.stringMatching(/^\S+Z molecule WARN It failed\. attempt=2 stage=handler\n$/),
      expect.stringMatching(/^\S+Z molecule ERROR It was given up\. note="two words"\n$/),
    ]);
  });

  it('writes an error with its code, hint, causes and frames, in one line', () => {
    const error = new MoleculeError('Lost\nthe connection.', {
      code: 'connection_failed',
      hint: 'Check the network.',
      cause: new TypeError('bad'),
    });
    const [line = ''] = written((logger) => redactingLogger(logger).error({ error }, 'No.'));
    expect(line).toContain('"MoleculeError (connection_failed): Lost the connection. Check the network."');
    expect(line).toContain('TypeError: bad');
    expect(line).toContain('stack="at ');
    expect(line).toContain('stderr-logger.test.ts');
    expect(line.indexOf('\n')).toBe(line.length - 1);
  });

  it('leaves the frames out of a warning about a failed connection', () => {
    const error = new MoleculeError('Lost.', { code: 'connection_failed', cause: new Error('refused') });
    const other = new MoleculeError('No.', { code: 'not_found' });
    const [lost = '', given = '', notFound = ''] = written((logger) => {
      redactingLogger(logger).warn({ error }, 'Again.');
      redactingLogger(logger).error({ error }, 'Given up.');
      redactingLogger(logger).warn({ error: other }, 'Not there.');
    });
    expect(lost).toMatch(/"MoleculeError \(connection_failed\): Lost\." cause="Error: refused"\n$/);
    expect(given).toContain('stack="at ');
    expect(notFound).toContain('stack="at ');
  });

  it('ends the message of an error before its hint, with one full stop', () => {
    const error = new MoleculeError('it is in use', { code: 'conflict', hint: 'Stop it.' });
    const [line = ''] = written((logger) => logger.warn({ error }, 'No.'));
    expect(line).toContain('(conflict): it is in use. Stop it."');
  });

  it('writes no credential, and no control character for a terminal', () => {
    const [line = ''] = written((logger) =>
      redactingLogger(logger, ['open-sesame-12345']).warn(
        { text: `\u001b[31mred ${TOKEN}`, error: new Error('with open-sesame-12345'), token: 'x'.repeat(20) },
        'A line.\r\nAnother.',
      ),
    );
    for (const secret of [TOKEN, 'open-sesame-12345', 'x'.repeat(20), '\u001b', '\r'])
      expect(line).not.toContain(secret);
    expect(line.indexOf('\n')).toBe(line.length - 1);
  });
});
