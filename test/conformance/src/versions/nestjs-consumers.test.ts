import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type ModuleFormat, NestProjects, type NestRun, type NestVersion } from '../projects/index.ts';
import { verifies } from '../verifies.ts';

/** npm, compilers, platforms and test runners in processes of their own. */
vi.setConfig({ testTimeout: 600_000, hookTimeout: 240_000 });

const VERSIONS: readonly NestVersion[] = [10, 11, 12];
const FORMATS: readonly ModuleFormat[] = ['cjs', 'esm'];
/** For ES modules with NestJS 10, whose options make CommonJS only. */
const AS_MODULES = ['--module', 'nodenext', '--moduleResolution', 'nodenext'];
/** For a machine that does much else. */
const PATIENCE = '--testTimeout=120000';

let projects: NestProjects;
beforeAll(() => {
  projects = new NestProjects();
});
afterAll(() => projects.remove());

/** What one application gives, each asked for once. */
const once = <T>(ask: (version: NestVersion, format: ModuleFormat) => Promise<T>) => {
  const given = new Map<string, Promise<T>>();
  return (version: NestVersion, format: ModuleFormat): Promise<T> => {
    const key = `${version} ${format}`;
    const result = given.get(key) ?? ask(version, format);
    given.set(key, result);
    return result;
  };
};
/** Strict as CommonJS, not strict as ES modules. */
const compiled = once((version, format) => {
  const options = version === 10 && format === 'esm' ? AS_MODULES : [];
  return projects.compile(version, format, { strict: format === 'cjs', arguments: options });
});
const ran = once(async (version, format) => {
  await compiled(version, format);
  return projects.run(version, format);
});

/** The versions beside each other, the formats of each one after the other. */
async function eachApplication(check: (version: NestVersion, format: ModuleFormat) => Promise<void>) {
  const checks = VERSIONS.map(async (version) => {
    for (const format of FORMATS) await check(version, format);
  });
  await Promise.all(checks);
}

function reportOf({ status, output, errors }: NestRun) {
  expect({ status, errors }).toEqual({ status: 0, errors: '' });
  return JSON.parse(output);
}

verifies('nestjs.versions', 'consumers compile', async () => {
  await eachApplication(async (version, format) => {
    expect(await compiled(version, format), `${version} ${format}`).toBe('');
  });
  // The oldest compiler that the template of NestJS 10 accepts.
  const oldest = { strict: false, typescript: '5.1', arguments: ['--noEmit'] } as const;
  expect(await projects.compile(10, 'cjs', oldest)).toBe('');
});

it('decorated signatures need `import type` since NestJS 11', async () => {
  const problems = (version: NestVersion) => projects.compileWithoutImportType(version, 'cjs');
  expect(await problems(10)).toBe('');
  for (const version of [11, 12] as const) {
    expect(await problems(version)).toMatch(
      /^test\/without-import-type\.ts\(\d+,\d+\): error TS1272: [^\n]*\n$/,
    );
  }
});

it('ES modules do not run with the unchanged template of NestJS 10', async () => {
  const folder = 'out-of-the-template';
  expect(await projects.compile(10, 'esm', { arguments: ['--outDir', folder] })).toBe('');
  const { status, errors } = await projects.run(10, 'esm', folder);
  expect(status).toBe(1);
  expect(errors).toContain('ReferenceError: exports is not defined in ES module scope');
});

verifies('nestjs.versions', 'consumers run', async () => {
  await eachApplication(async (version, format) => {
    const report = reportOf(await ran(version, format));
    const [reserved, refused] = report.reserved;
    expect({ ...report, name: `${version} ${format}` }).toMatchObject({
      name: `${version} ${format}`,
      delivery: 'push',
      peers: [
        { status: 'answered', answer: 'one please: entry 1 of peer_agent, open', via: 'direct' },
        { status: 'answered', answer: 'two please: entry 2 of peer_agent, open', via: 'direct' },
        { status: 'failed', answer: 'Say please.', code: 'forbidden', via: 'direct' },
      ],
      streamed: 'tea: 7. milk: 0. ',
      routes: [
        [200, { item: 'tea', count: 7 }],
        [403, { message: 'Forbidden resource' }],
      ],
      closed: true,
    });
    expect(reserved.result.text).toBe('2 of 7 tea, canvas_user');
    expect(refused.error.message).toBe('count must not be less than 1.');
  });
});

verifies('nestjs.versions', 'guards of the default scope that need what is not of it', async () => {
  await eachApplication(async (version, format) => {
    const { leftOut } = reportOf(await ran(version, format));
    // NestJS itself refuses the first three since 11.2, and runs the last one.
    const refused = expect.stringMatching(
      version === 10
        ? /^Nest does not run a provider of APP_GUARD: /
        : /APP_GUARD provider .* request-scoped/,
    );
    const left =
      version === 10 ? expect.stringMatching(/^Nest gives CallerGuard of GuardedDesk\.answer /) : null;
    expect(leftOut, `${version} ${format}`).toEqual({
      useClass: refused,
      useExisting: refused,
      useFactory: refused,
      '@UseGuards': left,
    });
  });
});

verifies('nestjs.versions', 'consumers tokens', async () => {
  await eachApplication(async (version, format) => {
    const { sameCopy, ledgers } = reportOf(await ran(version, format));
    // Of the CommonJS and of the ES module library: one of them has another copy than the application.
    expect(sameCopy).toEqual([format === 'cjs', format === 'esm']);
    for (const { sameClient, entries } of ledgers) {
      expect(sameClient).toBe(true);
      expect(entries).toBeGreaterThan(0);
    }
  });
});

verifies('nestjs.test-runners', 'consumers test runner', async () => {
  const runs = VERSIONS.map(async (version) => {
    await compiled(version, 'cjs');
    return projects.test(version, 'cjs', '--detectOpenHandles', PATIENCE);
  });
  for (const { status, errors } of await Promise.all(runs)) {
    expect(errors).toMatch(/Tests:\s+2 passed, 2 total/);
    expect(errors).not.toMatch(/open handle|did not exit|after the Jest environment/i);
    expect(status).toBe(0);
  }
});

verifies(
  ['nestjs.versions', 'nestjs.test-runners'],
  'consumers commonjs beside esm; consumers test runner',
  async () => {
    const report = reportOf(await ran(12, 'esm'));
    expect(report.ledgers[0].sameClient).toBe(true);
    const { status, output, errors } = await projects.test(12, 'esm', PATIENCE);
    expect(output).toMatch(/Tests\s+2 passed \(2\)/);
    expect(output + errors).not.toMatch(/close timed out|prevents/i);
    expect(status).toBe(0);
  },
);

verifies('nestjs.test-runners', 'consumers jest esm', async () => {
  await compiled(12, 'esm');
  const { errors } = await projects.testByJestWithModules(12, PATIENCE);
  expect(errors).toMatch(/PASS \S*office\.spec\.ts/);
  // What a package without ES modules does there: its test fails where it requires NestJS.
  expect(errors).toMatch(/FAIL \S*ledger\.spec\.ts[\s\S]*in a cycle/);
  expect(errors).toMatch(/Test Suites: 1 failed, 1 passed, 2 total/);
});
