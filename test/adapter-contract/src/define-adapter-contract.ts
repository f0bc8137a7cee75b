import { describe, expect, it } from 'vitest';
import { ABORT_SCENARIOS } from './abort-scenarios.ts';
import type { AdapterDriver } from './adapter-driver.ts';
import { BAD_INPUT_SCENARIOS } from './bad-input-scenarios.ts';
import { END_SCENARIOS } from './end-scenarios.ts';
import { GATEWAY_SURFACES } from './gateway-surfaces.ts';
import { HOSTILE_IDS, type HostileText } from './hostile-strings.ts';
import { Matrix, type MatrixRow } from './matrix.ts';
import { MESSAGE_SURFACES } from './message-surfaces.ts';
import { MIDDLEWARE_SURFACES } from './middleware-surfaces.ts';
import { problemsOf } from './prompt-check.ts';
import { PROVIDER_SURFACES } from './provider-surfaces.ts';
import { QUESTION_SCENARIOS } from './question-scenarios.ts';
import { REPEAT_SCENARIOS } from './repeat-scenarios.ts';
import { RUN_SCENARIOS } from './run-scenarios.ts';
import type { Scenario } from './scenario.ts';
import { Stage } from './stage.ts';
import { STORED_SURFACES } from './stored-surfaces.ts';
import type { Surface } from './surface.ts';
import { TOOL_SURFACES } from './tool-surfaces.ts';

const TIMEOUT_MS = 60_000;
/** A string that breaks everything has one message; the others are counted. */
const MAX_SHOWN = 10;

const SURFACES: readonly Surface[] = [
  ...TOOL_SURFACES,
  ...MESSAGE_SURFACES,
  ...PROVIDER_SURFACES,
  ...STORED_SURFACES,
  ...MIDDLEWARE_SURFACES,
  ...GATEWAY_SURFACES,
];
const SCENARIOS: readonly Scenario[] = [
  ...RUN_SCENARIOS,
  ...REPEAT_SCENARIOS,
  ...END_SCENARIOS,
  ...ABORT_SCENARIOS,
  ...QUESTION_SCENARIOS,
  ...BAD_INPUT_SCENARIOS,
];

export interface AdapterContractOptions {
  /** The strings that are tried. Adapters try all of them. @default HOSTILE_IDS */
  readonly strings?: readonly string[];
}

/** The tests that each adapter has to pass. Call it at the top of a test file. */
export function defineAdapterContract(
  driver: AdapterDriver,
  { strings = HOSTILE_IDS }: AdapterContractOptions = {},
): void {
  const rows: MatrixRow[] = [
    ...SURFACES.map(({ id, about }) => ({ id, about, kind: 'surface' as const })),
    ...SCENARIOS.map(({ id, about }) => ({ id, about, kind: 'scenario' as const })),
  ];
  const matrix = new Matrix({ name: driver.name, without: driver.without, rows, strings });
  const isOffered = ({ id }: { readonly id: string }) => driver.without[id] === undefined;

  describe(`${driver.name}: words of others reach the model in fences only`, () => {
    for (const surface of SURFACES.filter(isOffered)) {
      it(`${surface.id}: ${surface.about}`, { timeout: TIMEOUT_MS }, () =>
        trySurface(driver, surface, matrix),
      );
    }
  });

  describe(`${driver.name}: scenarios`, () => {
    for (const { id, about, run, stage: options } of SCENARIOS.filter(isOffered)) {
      it(`${id}: ${about}`, { timeout: TIMEOUT_MS }, async () => {
        await using stage = await Stage.open({ driver, ...options });
        await run(stage);
        matrix.passed(id);
      });
    }
  });

  it(`${driver.name}: everything was tried`, async () => {
    expect(matrix.problems).toEqual([]);
    await expect(matrix.toMarkdown()).toMatchFileSnapshot(`../matrix/${driver.name}.md`);
  });
}

async function trySurface(driver: AdapterDriver, surface: Surface, matrix: Matrix): Promise<void> {
  await using stage = await Stage.open({ driver, ...surface.stage });
  const failures: string[] = [];
  for (const texts of batchesOf(matrix.textsOf(surface.id), surface.batch ?? 1)) {
    stage.gateway.rules = [];
    stage.model.script();
    const broken = await surface.bring(stage, texts).then(
      () => [],
      (error: unknown) => [String(error)],
    );
    for (const hostile of texts) {
      const found = problemsOf(
        stage.model.prompts,
        { ...hostile, beside: texts },
        surface.expected(stage, hostile),
      );
      const problems = [...broken, ...(broken.length > 0 ? [] : found)];
      if (problems.length === 0) matrix.passed(surface.id, hostile.id);
      else failures.push(`${surface.id} × ${hostile.id}: ${problems.join('; ')}`);
    }
  }
  if (failures.length === 0) return;
  const more = failures.length > MAX_SHOWN ? `\n… and ${failures.length - MAX_SHOWN} more` : '';
  throw new Error(`${failures.slice(0, MAX_SHOWN).join('\n')}${more}`);
}

function batchesOf(texts: readonly HostileText[], size: number): readonly (readonly HostileText[])[] {
  const count = Math.ceil(texts.length / size);
  return Array.from({ length: count }, (_, index) => texts.slice(index * size, (index + 1) * size));
}
