import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { install, link, ROOT, write } from './packed-modules.ts';

/** The version of OpenTelemetry's API that an application has: the oldest and the newest supported one, or a later major version. */
export type ApiVersion = 'oldest' | 'newest' | 'future';

const MODULES: Readonly<Record<ApiVersion, readonly string[]>> = {
  oldest: ['api', 'context-async-hooks', 'sdk-metrics', 'sdk-trace-base'],
  newest: ['api', 'context-async-hooks', 'sdk-metrics', 'sdk-trace'],
  future: [],
};

/** A CommonJS application with the packed packages, in a folder of its own, that sends and answers one message. */
export class TelemetryProject {
  readonly folder: string;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'molecule-telemetry-'));
    install(this.folder, ['core', 'net-guard', 'platform', 'protocol', 'telemetry']);
    write(join(this.folder, 'package.json'), '{ "name": "project", "private": true }');
    for (const file of ['main.cjs', 'recorder.cjs'])
      copyFileSync(join(ROOT, 'telemetry', file), join(this.folder, file));
  }

  /** Runs it with one version of the API; returns the JSON that it writes. */
  run(version: ApiVersion): unknown {
    const scope = join(this.folder, 'node_modules/@opentelemetry');
    rmSync(scope, { recursive: true, force: true });
    // The newest is what our own packages are developed with.
    const owner =
      version === 'newest' ? realpathSync(join(ROOT, 'node_modules/@molecule-ai/telemetry')) : ROOT;
    for (const name of MODULES[version])
      link(join(owner, 'node_modules/@opentelemetry', name), join(scope, name));
    copyFileSync(join(ROOT, `telemetry/${version}.cjs`), join(this.folder, 'set-up.cjs'));
    const env = { PATH: process.env.PATH, NODE_NO_WARNINGS: '1' };
    const output = execFileSync(process.execPath, ['main.cjs'], { cwd: this.folder, encoding: 'utf8', env });
    return JSON.parse(output);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
