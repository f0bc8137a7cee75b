import { describe, expect, it } from 'vitest';
import {
  A2aTask,
  AckRequest,
  CAPABILITIES,
  isEnded,
  isMessageState,
  MAX_OUTCOMES,
  MESSAGE_STATES,
  messageStateOfTask,
  Outcome,
  parseCapabilities,
  TASK_STATES,
  taskStateOf,
} from './index.ts';

const ROW = '0b6f0e0a-6f0b-4c27-9d0e-5c1f2f6f5b01';

describe('the states of a message', () => {
  it('are open or ended, and unknown words are open', () => {
    expect(MESSAGE_STATES.filter(isEnded)).toEqual([
      'answered',
      'unanswered',
      'failed',
      'canceled',
      'expired',
    ]);
    expect(isEnded('teleported')).toBe(false);
    expect(isMessageState('expired')).toBe(true);
    expect(isMessageState('completed')).toBe(false);
  });

  it('are each shown as an A2A state', () => {
    for (const state of MESSAGE_STATES) expect(TASK_STATES).toContain(taskStateOf(state));
    expect(taskStateOf('expired')).toBe('failed');
    expect(taskStateOf('unanswered')).toBe('completed');
  });

  it('are read from our tasks, and from the tasks of other A2A agents', () => {
    expect(messageStateOfTask({ status: { state: 'failed' }, metadata: { state: 'expired' } })).toBe(
      'expired',
    );
    expect(messageStateOfTask({ status: { state: 'TASK_STATE_INPUT_REQUIRED' } })).toBe('input_required');
    expect(messageStateOfTask({ status: 'completed' })).toBe('answered');
    expect(messageStateOfTask({ status: { state: 'rejected' } })).toBe('failed');
    expect(messageStateOfTask({ status: { state: 'teleported' } })).toBeNull();
    expect(messageStateOfTask({})).toBeNull();
  });

  it('make a task that the schema takes', () => {
    const task = {
      kind: 'task',
      id: ROW,
      contextId: '',
      status: { state: 'completed', timestamp: '2026-01-01T00:00:00.000Z' },
      metadata: { message_id: 'm-1', state: 'unanswered' },
    };
    expect(A2aTask.strict.safeParse(task).success).toBe(true);
    expect(A2aTask.strict.safeParse({ ...task, more: 1 }).success).toBe(false);
  });
});

describe('an acknowledgement', () => {
  const outcome = { activity_id: ROW, outcome: 'unanswered' };

  it('has a position, outcomes, or both', () => {
    expect(AckRequest.strict.safeParse({ up_to: 7 }).success).toBe(true);
    expect(AckRequest.strict.safeParse({ outcomes: [outcome] }).success).toBe(true);
    expect(AckRequest.strict.safeParse({ up_to: ROW, outcomes: [outcome] }).success).toBe(true);
    expect(AckRequest.strict.safeParse({}).success).toBe(false);
    expect(AckRequest.strict.safeParse({ outcomes: [] }).success).toBe(false);
  });

  it('is bounded', () => {
    const outcomes = Array.from({ length: MAX_OUTCOMES + 1 }, () => outcome);
    expect(AckRequest.tolerant.safeParse({ outcomes }).success).toBe(false);
    const error = { message: 'x'.repeat(4_001) };
    expect(Outcome.tolerant.safeParse({ ...outcome, outcome: 'failed', error }).success).toBe(false);
  });

  it('refuses unknown outcomes', () => {
    expect(Outcome.tolerant.safeParse({ ...outcome, outcome: 'lost' }).success).toBe(false);
  });
});

describe('capabilities', () => {
  it('are read from a header in any letter case; unknown words are left out', () => {
    expect([...parseCapabilities(' Outcomes, cancel ,telepathy,')]).toEqual(['outcomes', 'cancel']);
    expect(parseCapabilities(undefined).size).toBe(0);
    expect(parseCapabilities(CAPABILITIES.join()).size).toBe(CAPABILITIES.length);
  });
});
