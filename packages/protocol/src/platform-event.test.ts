import { describe, expect, it } from 'vitest';
import { checkEventFrame, PLATFORM_EVENT_NAMES } from './platform-event.ts';

const frame = (event: string, payload: Record<string, string | number>) => ({
  event,
  workspace_id: '0b9a3f6e-8a51-4c55-9f0e-2f6a52f3a111',
  timestamp: '2026-05-02T10:15:30Z',
  payload,
});

describe('checkEventFrame', () => {
  it('accepts what the catalogue lists', () => {
    expect(checkEventFrame(frame('WORKSPACE_OFFLINE', {}))).toEqual([]);
    expect(checkEventFrame(frame('WORKSPACE_HEARTBEAT', { active_tasks: 0, uptime_seconds: 9 }))).toEqual([]);
    expect(PLATFORM_EVENT_NAMES).toContain('A2A_RESPONSE');
  });

  it('finds unknown events and keys', () => {
    expect(checkEventFrame(frame('WORKSPACE_SLEEPY', {}))).toHaveLength(1);
    expect(checkEventFrame(frame('WORKSPACE_OFFLINE', { why: 'x' }))).toHaveLength(1);
    expect(checkEventFrame('x')).toHaveLength(1);
  });
});
