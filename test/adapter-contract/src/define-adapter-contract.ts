import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { ABORT_SCENARIOS } from './abort-scenarios.ts';
import type { AdapterDriver } from './adapter-driver.ts';
import { BAD_INPUT_SCENARIOS } from './bad-input-scenarios.ts';
import { END_SCENARIOS } from './end-scenarios.ts';
import { GATEWAY_SURFACES } from './gateway-surfaces.ts';
import { HOSTILE_IDS } from './hostile-strings.ts';
import { Matrix, type MatrixRow } from './matrix.ts';
import { MESSAGE_SURFACES } from './message-surfaces.ts';
import { MIDDLEWARE_SURFACES } from './middleware-surfaces.ts';
import { problemsOf, readPrompts } from './prompt-check.ts';
import { PROVIDER_SURFACES } from './provider-surfaces.ts';
import { QUESTION_SCENARIOS } from './question-scenarios.ts';
import { REPEAT_SCENARIOS } from './repeat-scenarios.ts';
import { RUN_SCENARIOS } from './run-scenarios.ts';
import type { Scenario } from './scenario.ts';
import { Stage } from './stage.ts';
import { STORED_SURFACES } from './stored-surfaces.ts';
import type { Surface, Way } from './surface.ts';
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
    ...SURFACES.flatMap(waysOf).map(({ id, about }) => ({ id, about, kind: 'surface' as const })),
    ...SCENARIOS.map(({ id, about }) => ({ id, about, kind: 'scenario' as const })),
  ];
  const matrix = new Matrix({ name: driver.name, without: driver.without, rows, strings });
  const isOffered = ({ id }: { readonly id: string }) => driver.without[id] === undefined;

  describe(`${driver.name}: words of others reach the model in fences only`, () => {
    let shared: Stage | undefined;
    const close = async () => {
      const closed = shared;
      shared = undefined;
      await closed?.[Symbol.asyncDispose]();
    };
    afterAll(close);

    for (const surface of SURFACES.filter(isOffered)) {
      const title = waysOf(surface)
        .map(({ id, about }) => `${id}: ${about}`)
        .join('; ');
      it(title, { timeout: TIMEOUT_MS }, async () => {
        if (surface.stage !== undefined) {
          await using own = await Stage.open({ driver, ...surface.stage });
          await trySurface(own, surface, matrix);
          return;
        }
        shared ??= await Stage.open({ driver });
        try {
          await trySurface(shared, surface, matrix);
        } catch (error) {
          // What is left of it is nothing for the next one.
          await close();
          throw error;
        }
      });
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
    const page = fileURLToPath(new URL(`../matrix/${driver.name}.md`, import.meta.url));
    await expect(matrix.toMarkdown()).toMatchFileSnapshot(page);
  });
}

async function trySurface(stage: Stage, surface: Surface, matrix: Matrix): Promise<void> {
  const failures: string[] = [];
  const ways = waysOf(surface).map((way) => ({ way, all: matrix.textsOf(way.id) }));
  const size = surface.batch ?? 1;
  const count = ways[0]?.all.length ?? 0;
  for (let from = 0; from < count; from += size) {
    const brought = ways.map(({ way, all }) => ({ way, texts: all.slice(from, from + size) }));
    const [texts = [], ...beside] = brought.map((each) => each.texts);
    stage.gateway.rules = [];
    stage.model.script();
    const broken = await surface.bring(stage, texts, ...beside).then(
      () => [],
      (error: unknown) => [String(error)],
    );
    await stage.idle();
    const read = readPrompts(stage.model.prompts, [texts, ...beside].flat());
    for (const { way, hostile } of brought.flatMap(({ way, texts: of }) =>
      of.map((hostile) => ({ way, hostile })),
    )) {
      const found = () => problemsOf(read, hostile, way.expected(stage, hostile));
      const problems = broken.length > 0 ? broken : found();
      if (problems.length === 0) matrix.passed(way.id, hostile.id);
      else failures.push(`${way.id} × ${hostile.id}: ${problems.join('; ')}`);
    }
  }
  if (failures.length === 0) return;
  const more = failures.length > MAX_SHOWN ? `\n… and ${failures.length - MAX_SHOWN} more` : '';
  throw new Error(`${failures.slice(0, MAX_SHOWN).join('\n')}${more}`);
}

function waysOf(surface: Surface): readonly Way[] {
  return [surface, ...(surface.beside ?? [])];
}
