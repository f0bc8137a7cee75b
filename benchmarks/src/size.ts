import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Figure } from './figure.ts';
import { sizeOf } from './size/sources.ts';
import type { Trips } from './size/trips.ts';

const PACKAGES = fileURLToPath(new URL('../../packages/', import.meta.url));
const TRIPS = fileURLToPath(new URL('./size/trips.js', import.meta.url));

/** Counts what there is to read: of each package its sources, and of one message what runs for it. See benchmarks/size.md. */
export async function benchSize(): Promise<Figure[]> {
  const packages = readdirSync(PACKAGES).filter((name) => existsSync(`${PACKAGES}${name}/src`));
  const sizes = packages.map((name): Figure => {
    const { files, codeLines, longestChain } = sizeOf(`${PACKAGES}${name}/src`);
    const value = `${files} files, ${codeLines} code lines, longest chain of imports ${longestChain.length}`;
    return { name: `sources of ${name}`, value };
  });
  const trips = JSON.parse(
    execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', TRIPS], { encoding: 'utf8' }),
  ) as Trips;
  const ways = Object.entries(trips).flatMap(([way, counted]) =>
    Object.entries(counted)
      .toSorted(([one], [other]) => one.localeCompare(other))
      .map(([name, { files, functions, crossFileCalls }]): Figure => {
        const value = `${files} files, ${functions} functions, ${crossFileCalls} calls from another file`;
        return { name: `a ${way} message in ${name}`, value };
      }),
  );
  return [...sizes, ...ways];
}
