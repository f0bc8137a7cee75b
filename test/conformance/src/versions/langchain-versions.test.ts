import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { RemoteAgentClient } from '@molecule-ai/core';
import { peerTools } from '@molecule-ai/core/adapter-kit';
import { expectNoUnfencedPeerText } from '@molecule-ai/core/testing';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import {
  type LangChainProgram,
  LangChainProject,
  type LangChainVersion,
  type ModuleFormat,
  type ZodVersion,
} from '../projects/index.ts';
import { verifies } from '../verifies.ts';

interface Combination {
  readonly langchain: LangChainVersion;
  readonly zod: ZodVersion;
  readonly programs: readonly LangChainProgram[];
  readonly formats: readonly ModuleFormat[];
}

const COMBINATIONS: readonly Combination[] = [
  { langchain: 'oldest', zod: '3.25', programs: ['agent', 'chain'], formats: ['esm', 'cjs'] },
  { langchain: 'oldest', zod: '4.1', programs: ['agent'], formats: ['esm'] },
  { langchain: 'newest', zod: '3.25', programs: ['agent'], formats: ['esm'] },
  { langchain: 'newest', zod: '4.1', programs: ['agent'], formats: ['cjs'] },
  { langchain: 'newest', zod: 'newest', programs: ['agent', 'chain'], formats: ['esm', 'cjs'] },
  { langchain: 'core-alone', zod: '3.25', programs: ['chain'], formats: ['esm', 'cjs'] },
];
const PEER_TEXT = '990 of 1000 tests pass.';

/** What the programs in test/consumers/langchain report. */
interface Report {
  readonly prompts: readonly string[];
  readonly tools: Readonly<Record<string, unknown>>;
  /** Of the chain. */
  readonly content?: string;
  readonly piped?: string;
}

/** npm, compilers and platforms in processes of their own. */
vi.setConfig({ testTimeout: 600_000, hookTimeout: 240_000 });

let project: LangChainProject;
beforeAll(() => {
  project = new LangChainProject();
});
afterAll(() => project.remove());

verifies('langchain.versions', () => {
  const { peerDependencies } = manifestOf('@molecule-ai/langchain');
  for (const { langchain, zod, programs, formats } of COMBINATIONS) {
    const name = `${langchain}, zod ${zod}`;
    const versions = project.use(langchain, zod);
    const isOldest = { 'core-alone': '@langchain/core', oldest: 'langchain', newest: null }[langchain];
    if (isOldest === null) expect(versions.langchain).toBe(manifestOf('langchain').version);
    else expect(`^${versions[isOldest]}`).toBe(peerDependencies[isOldest]);
    if (zod !== 'newest') expect(versions.zod).toMatch(`${zod}.`);
    expect(project.compile(programs, formats), name).toBe('');
    for (const program of programs) {
      for (const format of formats) CHECKS[program](project.run(program, format) as Report);
    }
  }
});

const CHECKS: Readonly<Record<LangChainProgram, (report: Report) => void>> = {
  agent: (report) => {
    expect(report).toMatchObject({
      asked: 'input-required',
      questions: 1,
      promptsBefore: 2,
      text: 'It is shipped.',
    });
    const prompt = report.prompts.at(-1) ?? '';
    expect(prompt).toContain(PEER_TEXT);
    expectNoUnfencedPeerText(prompt, PEER_TEXT);
    const { ship, ...ours } = report.tools;
    expect(ship).toMatchObject({ name: 'ship' });
    expect(ours).toEqual(definitions());
  },
  chain: (report) => {
    expect(report).toMatchObject({ status: 'success', artifact: { text: 'It says 990 of 1000.' } });
    expect(report.content).toContain('It says 990 of 1000.');
    expectNoUnfencedPeerText(report.content, 'It says 990 of 1000.');
    expect(report.piped).toContain('Ours are good.');
    expectNoUnfencedPeerText(report.piped, 'Ours are good.');
    expectNoUnfencedPeerText(report.prompts[0] ?? '', 'How are the numbers?');
    const { call_peer, list_peers } = definitions();
    expect(report.tools).toEqual({ call_peer, list_peers });
  },
};

/** The tools as a provider is sent them. */
function definitions(): Record<string, unknown> {
  const client = new RemoteAgentClient({
    platformUrl: 'http://localhost:1',
    workspaceId: crypto.randomUUID(),
  });
  const tools = peerTools(client).map(({ name, description, inputSchema: parameters }) => {
    return [name, { name, description, parameters }] as const;
  });
  return Object.fromEntries(tools);
}

function manifestOf(name: string) {
  return JSON.parse(readFileSync(fileURLToPath(import.meta.resolve(`${name}/package.json`)), 'utf8'));
}
