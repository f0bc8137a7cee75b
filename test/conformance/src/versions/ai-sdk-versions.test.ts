import { readFileSync } from 'node:fs';
import { RemoteAgentClient } from '@molecule-ai/core';
import { peerTools } from '@molecule-ai/core/adapter-kit';
import { expectNoUnfencedPeerText } from '@molecule-ai/core/testing';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import {
  type AiSdkProgram,
  AiSdkProject,
  type AiVersion,
  type ModuleFormat,
  type ZodVersion,
} from '../projects/index.ts';
import { verifies } from '../verifies.ts';

const ROOT = new URL('../../../../', import.meta.url);
const PEER_TEXT = '990 of 1000 tests pass.';
const ALL_PROGRAMS = ['agent', 'chat', 'peer-model', 'typed-application'] as const;

interface Combination {
  readonly ai: AiVersion;
  readonly zod: ZodVersion;
  readonly programs: readonly AiSdkProgram[];
  readonly formats: readonly ModuleFormat[];
}

const COMBINATIONS: readonly Combination[] = [
  { ai: '6.0', zod: '3.25', programs: ALL_PROGRAMS, formats: ['esm', 'cjs'] },
  { ai: '6', zod: '4.1', programs: ['agent', 'typed-application'], formats: ['esm', 'cjs'] },
  { ai: '6', zod: 'newest', programs: ['chat', 'peer-model'], formats: ['esm'] },
  { ai: '7.0', zod: '4.1', programs: ['agent', 'chat', 'typed-application'], formats: ['esm', 'cjs'] },
  { ai: '7', zod: '3.25', programs: ['agent', 'peer-model'], formats: ['cjs'] },
  { ai: '7', zod: 'newest', programs: ALL_PROGRAMS, formats: ['esm', 'cjs'] },
];

/** What the programs in test/consumers/ai-sdk report. */
interface Report {
  readonly prompts: readonly string[];
  /** Of the agent. */
  readonly tools?: Readonly<Record<string, unknown>>;
}

/** npm, compilers and platforms in processes of their own. */
vi.setConfig({ testTimeout: 600_000, hookTimeout: 240_000 });

let project: AiSdkProject;
beforeAll(() => {
  project = new AiSdkProject();
});
afterAll(() => project.remove());

verifies('ai-sdk.versions', 'versions types; versions run', () => {
  const { peerDependencies } = JSON.parse(
    readFileSync(new URL('packages/ai-sdk/package.json', ROOT), 'utf8'),
  );
  const oldest: string[] = [];
  for (const { ai, zod, programs, formats } of COMBINATIONS) {
    const versions = project.use(ai, zod);
    if (ai.endsWith('.0')) oldest.push(`^${versions.ai}`);
    else expect(versions.ai).toMatch(`${ai}.`);
    if (zod !== 'newest') expect(versions.zod).toMatch(`${zod}.`);
    expect(project.compile(programs, formats), `ai ${ai}, zod ${zod}`).toBe('');
    for (const program of programs) {
      for (const format of program === 'typed-application' ? [] : formats) {
        CHECKS[program as keyof typeof CHECKS](project.run(program, format) as Report, versions.ai);
      }
    }
  }
  expect(oldest.join(' || ')).toBe(peerDependencies.ai);
});

verifies('ai-sdk.versions', 'versions samples', () => {
  for (const ai of ['6.0', '6', '7.0', '7'] as const) {
    project.use(ai, 'newest');
    expect(project.compileSamples(ai), `ai ${ai}`).toBe('');
  }
});

const CHECKS = {
  agent: (report: Report, ai: string) => {
    expect(report).toMatchObject({
      toolApproval: ai.startsWith('6.') ? expect.stringContaining('no setting "toolApproval"') : 'accepted',
      asked: 'input-required',
      questions: 1,
      promptsBefore: 2,
      text: 'It is shipped.',
      streamed: 'As I said.',
    });
    const prompt = report.prompts.at(-1) ?? '';
    expect(prompt).toContain(PEER_TEXT);
    expectNoUnfencedPeerText(prompt, PEER_TEXT);
    const { ship, ...ours } = report.tools ?? {};
    expect(ship).toMatchObject({ name: 'ship' });
    expect(ours).toEqual(definitions());
  },
  'peer-model': (report: Report) => {
    const text = 'Ours are good.';
    expect(report).toMatchObject({
      answer: 'It says 990 of 1000.',
      text,
      warnings: [],
      streamed: text,
      named: text,
      received: ['And yours?', 'And streamed?', 'And by its name?'],
      refused: true,
      missing: true,
    });
    expectNoUnfencedPeerText(report.prompts[0] ?? '', 'How are the numbers?');
    expect(report.prompts[1]).toContain(text);
    expectNoUnfencedPeerText(report.prompts[1] ?? '', text);
  },
  chat: (report: Report) => {
    expect(report).toMatchObject({
      states: ['approval-requested'],
      before: 0,
      received: ['Can we ship?'],
      answer: 'We can.',
      errors: [],
    });
    expect(report).toHaveProperty('results', [
      null,
      expect.objectContaining({ text: PEER_TEXT }),
      null,
      null,
    ]);
    expect(report.prompts[1]).toContain(PEER_TEXT);
    expectNoUnfencedPeerText(report.prompts[1] ?? '', PEER_TEXT);
  },
};

/** The tools as a provider is sent them. */
function definitions(): Record<string, unknown> {
  const client = new RemoteAgentClient({
    platformUrl: 'http://localhost:1',
    workspaceId: crypto.randomUUID(),
  });
  const tools = peerTools(client).map(({ name, description, inputSchema }) => {
    return [name, { name, description, inputSchema }] as const;
  });
  return Object.fromEntries(tools);
}
