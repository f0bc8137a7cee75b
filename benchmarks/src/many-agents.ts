import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Figure } from './figure.ts';
import type { BenchmarkOptions } from './options.ts';
import type { Memory, StartAgents, StartedAgents } from './servers/many-agents.ts';
import { type BenchmarkPlatform, startPlatform } from './servers/start-platform.ts';

const AT_ONCE = 16;
const TARGET_KB = 100;
const KB = 1024;
const MB = KB * KB;
const PROGRAM = fileURLToPath(new URL('./servers/many-agents.js', import.meta.url));
/** With less space for new objects than Node takes. */
const SMALL_YOUNG_GENERATION = '--max-semi-space-size=4';

/** The memory of a process with one agent, and with more of them in each stage. */
type Stages = readonly [StartedAgents, ...StartedAgents[]];

/**
 * Measures the memory of a process for each of many agents in it, at several numbers of agents: as Node is started, and with less space
 * for new objects. All hold a read at the same time.
 */
export async function benchManyAgents(options: BenchmarkOptions): Promise<Figure[]> {
  const usual = await runStages(options, []);
  const small = await runStages(options, [SMALL_YOUNG_GENERATION]);
  const last = small.at(-1) ?? small[0];
  return [
    ...stageFigures(usual, ''),
    ...stageFigures(small, `, ${SMALL_YOUNG_GENERATION}`, TARGET_KB),
    ...slopeFigures(usual, ''),
    ...slopeFigures(small, `, ${SMALL_YOUNG_GENERATION}`, TARGET_KB),
    {
      name: 'health of many agents',
      value: `${last.healthy} of ${last.agents} healthy; an answer in ${last.answerMs.toFixed(1)} ms`,
      target: 'all healthy',
      met: last.healthy === last.agents,
    },
  ];
}

async function runStages(
  { agents: counts, idleMs }: BenchmarkOptions,
  flags: readonly string[],
): Promise<Stages> {
  const platform = await startPlatform('normal');
  const agents = fork(PROGRAM, { execArgv: [...process.execArgv, ...flags] });
  try {
    const maxHeldReads = Math.max(...counts) + 1;
    const workspaces = await joinAll(platform, maxHeldReads);
    const start = (from: number, to: number, idle: number) =>
      startMore(agents, {
        platformUrl: platform.url,
        workspaces: workspaces.slice(from, to),
        maxHeldReads,
        idleMs: idle,
      });
    const first = await start(0, 1, Math.min(idleMs, 12_000));
    const more: StartedAgents[] = [];
    for (const count of counts) more.push(await start(more.at(-1)?.agents ?? 1, count + 1, idleMs));
    return [first, ...more];
  } finally {
    agents.kill();
    await platform.close();
  }
}

async function joinAll(platform: BenchmarkPlatform, count: number): Promise<StartAgents['workspaces']> {
  const joined: { id: string; token: string }[] = [];
  let next = 0;
  const worker = async () => {
    while (next < count)
      joined.push(await platform.join(`agent ${next++}`, undefined, { isRegistered: false }));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return joined;
}

async function startMore(agents: ChildProcess, more: StartAgents): Promise<StartedAgents> {
  const ended = once(agents, 'exit').then(([code]) => {
    throw new Error(`The process of the agents ended with ${code}.`);
  });
  agents.send(more);
  const [started] = (await Promise.race([once(agents, 'message'), ended])) as [StartedAgents];
  ended.catch(() => {});
  return started;
}

function stageFigures([first, ...stages]: Stages, flags: string, targetKb?: number): Figure[] {
  return stages.map(({ agents, started, idle, collected }) => {
    const count = agents - 1;
    const each = (now: Memory, of: keyof Memory) => (now[of] - first.collected[of]) / count / KB;
    const resident = [started, idle, collected].map((now) => each(now, 'resident').toFixed(0));
    const figure = {
      name: `memory of an agent among ${count}${flags}`,
      value: `resident ${resident[0]} kB after the start, ${resident[1]} kB later, ${resident[2]} kB after a collection; the young generation is then ${(collected.young / MB).toFixed(0)} MB; live objects ${each(collected, 'heap').toFixed(0)} kB`,
    };
    if (targetKb === undefined) return figure;
    const met = each(idle, 'resident') <= targetKb;
    return { ...figure, target: `at most ${targetKb} kB resident later`, met };
  });
}

function slopeFigures([, ...stages]: Stages, flags: string, targetKb?: number): Figure[] {
  return stages.slice(1).map((to, index) => {
    const from = stages[index] ?? to;
    const more = to.agents - from.agents;
    const each = (of: keyof Memory) => (to.collected[of] - from.collected[of]) / more / KB;
    const figure = {
      name: `memory of each further agent, ${from.agents - 1} to ${to.agents - 1}${flags}`,
      value: `${each('resident').toFixed(0)} kB resident, ${each('heap').toFixed(0)} kB of live objects`,
    };
    if (targetKb === undefined) return figure;
    return { ...figure, target: `at most ${targetKb} kB resident`, met: each('resident') <= targetKb };
  });
}
