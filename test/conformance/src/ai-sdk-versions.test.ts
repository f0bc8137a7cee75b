import { readFileSync } from 'node:fs';
import {
  type AiSdkProgram,
  AiSdkProject,
  type AiVersion,
  type ModuleFormat,
  type ZodVersion,
} from '@molecule-tests/consumers';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { verifies } from './verifies.ts';

const MANIFEST = new URL('../../../packages/ai-sdk/package.json', import.meta.url);

interface Combination {
  readonly ai: AiVersion;
  readonly zod: ZodVersion;
  readonly programs: readonly AiSdkProgram[];
  readonly formats: readonly ModuleFormat[];
}

const COMBINATIONS: readonly Combination[] = [
  { ai: '6.0', zod: '3.25', programs: ['types'], formats: ['esm', 'cjs'] },
  { ai: '6', zod: '4.1', programs: ['types'], formats: ['esm', 'cjs'] },
  { ai: '7.0', zod: '3.25', programs: ['types'], formats: ['esm', 'cjs'] },
  { ai: '7', zod: 'newest', programs: ['types'], formats: ['esm', 'cjs'] },
];

/** npm, compilers and platforms in processes of their own. */
vi.setConfig({ testTimeout: 600_000, hookTimeout: 240_000 });

let project: AiSdkProject;
beforeAll(() => {
  project = new AiSdkProject();
});
afterAll(() => project.remove());

verifies('ai-sdk.versions-types', () => {
  const { peerDependencies } = JSON.parse(readFileSync(MANIFEST, 'utf8'));
  const oldest: string[] = [];
  for (const { ai, zod, programs, formats } of COMBINATIONS) {
    const versions = project.use(ai, zod);
    if (ai.endsWith('.0')) oldest.push(`^${versions.ai}`);
    else expect(versions.ai).toMatch(`${ai}.`);
    if (zod !== 'newest') expect(versions.zod).toMatch(`${zod}.`);
    expect(project.compile(programs, formats), `ai ${ai}, zod ${zod}`).toBe('');
  }
  expect(oldest.join(' || ')).toBe(peerDependencies.ai);
});
