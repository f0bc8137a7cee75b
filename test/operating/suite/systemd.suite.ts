import { spawnSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ForegroundProcess } from '../src/foreground-process.ts';
import { freePort } from '../src/proxies.ts';
import { changed, sampleText } from '../src/samples.ts';
import { openProject, platformEnvironment } from '../src/service-run.ts';

const NODE = ['/usr/bin/node', process.execPath] as const;

/** Runs a check of systemd on a unit, with the Node of these tests. */
function analyze(unit: string, ...given: readonly string[]): { status: number | null; output: string } {
  const { folder, remove } = openProject();
  onTestFinished(remove);
  const file = join(folder, unit);
  writeFileSync(file, changed(sampleText(unit), [NODE]));
  const { status, stdout, stderr, error } = spawnSync('systemd-analyze', [...given, file], {
    encoding: 'utf8',
    env: { ...process.env, SYSTEMD_COLORS: '0' },
  });
  if (error !== undefined) throw error;
  return { status, output: stdout + stderr };
}

/** The value of a setting of a unit. */
function settingOf(unit: string, name: string): string {
  return new RegExp(`^${name}=(.*)$`, 'm').exec(sampleText(unit))?.[1] ?? '';
}

describe.each(['molecule-platform.service', 'agent.service'])('%s', (unit) => {
  it('is a unit that systemd accepts without a word', () => {
    expect(analyze(unit, 'verify')).toEqual({ status: 0, output: '' });
  });
});

describe('molecule-platform.service', () => {
  const UNIT = 'molecule-platform.service';

  it('leaves the platform little of the system', () => {
    const { output } = analyze(UNIT, 'security', '--offline=true');
    const exposure = /Overall exposure level for \S+: ([\d.]+)/.exec(output)?.[1];
    expect(Number(exposure), output).toBeLessThan(2);
  });

  it('has a command that runs without a home, keeps its files private, and ends by SIGTERM', async () => {
    const { folder, remove } = openProject();
    onTestFinished(remove);
    const data = join(folder, 'state');
    const command = changed(settingOf(UNIT, 'ExecStart'), [
      NODE,
      ['/opt/molecule', folder],
      ['/var/lib/molecule', data],
    ]);
    const shell = `umask ${settingOf(UNIT, 'UMask')}; exec ${command} --port ${await freePort()}`;
    const env = { ...platformEnvironment(), HOME: '/nonexistent' };
    const platform = new ForegroundProcess('sh', ['-c', shell], env);
    onTestFinished(async () => void (await platform.stop('SIGKILL')));
    await platform.wrote('Ctrl+C stops it.');
    const url = /URL +(\S+)/.exec(platform.output)?.[1];
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    expect(statSync(join(data, 'platform.db')).mode & 0o777).toBe(0o600);
    expect(await platform.stop()).toBe(0);
  });

  it('is not started again after wrong settings', () => {
    const { folder, remove } = openProject();
    onTestFinished(remove);
    const [, ...given] = changed(settingOf(UNIT, 'ExecStart'), [['/opt/molecule', folder]]).split(' ');
    const { status } = spawnSync(process.execPath, given, { env: { PATH: process.env.PATH } });
    expect(String(status)).toBe(settingOf(UNIT, 'RestartPreventExitStatus'));
  });
});
