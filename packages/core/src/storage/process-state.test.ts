import { expect, it } from 'vitest';
import { processState } from './process-state.ts';

it('a state of the process is created once, under a registered symbol', () => {
  const first = processState('test-state', () => ({ made: 'first' }));
  expect(processState('test-state', () => ({ made: 'second' }))).toBe(first);
  expect(Reflect.get(globalThis, Symbol.for('@molecule-ai/core/test-state'))).toBe(first);
  expect(Object.keys(globalThis)).not.toContain('test-state');
  expect(processState('other-test-state', () => ({ made: 'third' })).made).toBe('third');
});
