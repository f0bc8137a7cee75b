import { describe, expect, it } from 'vitest';
import { messageOf } from '../../test/agent-stage.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { silentLogger } from '../logging/logger.ts';
import { AgentReport, describeFailure } from './agent-report.ts';

const MESSAGE = messageOf('row-1');

describe('AgentReport', () => {
  it('keeps at most the last thousand attempts', () => {
    const report = new AgentReport({
      clock: new ManualClock(),
      logger: silentLogger,
      onMetricsChanged: () => {},
    });
    report.ended(MESSAGE, { error: 'x', failure: null });
    for (let count = 0; count < 1_000; count += 1) report.ended(MESSAGE, 'succeeded');
    expect(report.metrics().errorRate).toBe(0);
  });
});

describe('describeFailure', () => {
  it('never contains the message of the error', () => {
    const odd = Object.assign(new Error('the secret text'), {
      name: 'the secret text',
      code: 'also secret!',
    });
    expect(describeFailure(odd)).toBe('Error');
    expect(describeFailure('the secret text')).toBe('Error');
    expect(describeFailure(Object.assign(new Error('x'), { code: 'ECONNRESET' }))).toBe('Error ECONNRESET');
    expect(describeFailure(Object.assign(new Error('x'), { code: 'a'.repeat(61) }))).toBe('Error');
  });
});
