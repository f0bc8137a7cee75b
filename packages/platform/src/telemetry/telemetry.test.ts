import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { knownCode, PLATFORM_VERSION } from './telemetry.ts';

it('names the version of the package', () => {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  expect(JSON.parse(manifest).version).toBe(PLATFORM_VERSION);
});

it('has codes of the closed list only', () => {
  expect([knownCode('agent_timeout'), knownCode('a word of the agent'), knownCode(undefined)]).toEqual([
    'agent_timeout',
    'other',
    'other',
  ]);
});
