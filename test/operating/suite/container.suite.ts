import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { validate } from 'dockerfile-utils';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { ForegroundProcess } from '../src/foreground-process.ts';
import { freePort } from '../src/proxies.ts';
import { changed, sampleText } from '../src/samples.ts';
import { openProject, platformEnvironment } from '../src/service-run.ts';

/** The JSON form of an instruction: `CMD ["node", …]`. */
function argumentsOf(instruction: RegExp): string[] {
  const [, json = '[]'] = instruction.exec(sampleText('Dockerfile')) ?? [];
  return JSON.parse(json) as string[];
}

describe('the container files', () => {
  it.each(['Dockerfile', 'agent.Dockerfile'])('%s has no mistake', (name) => {
    expect(validate(sampleText(name))).toEqual([]);
  });

  it('start the platform, and ask it by /ready whether it is well', async () => {
    const { folder, remove } = openProject();
    onTestFinished(remove);
    const port = String(await freePort());
    const [, ...given] = argumentsOf(/^CMD (\[.*\])$/m).map((each) =>
      each === '/data' ? join(folder, 'data') : each,
    );
    expect(given).toContain('0.0.0.0');
    const env = { ...platformEnvironment(), PORT: port };
    const platform = new ForegroundProcess(process.execPath, given, env, folder);
    onTestFinished(async () => void (await platform.stop('SIGKILL')));
    await platform.wrote('Ctrl+C stops it.');
    const [, ...probe] = argumentsOf(/^ {2}CMD (\[.*\])$/m).map((each) =>
      each.includes('fetch') ? changed(each, [[':8080/', `:${port}/`]]) : each,
    );
    expect(spawnSync(process.execPath, probe).status).toBe(0);
    expect(await platform.stop()).toBe(0);
    expect(spawnSync(process.execPath, probe).status).toBe(1);
  });

  it('agree: the volume of compose.yaml is the data folder, and a stop waits for the platform', () => {
    const { services, volumes } = parse(sampleText('compose.yaml')) as {
      services: Record<string, { volumes: string[]; stop_grace_period?: string }>;
      volumes: object;
    };
    const [volume = ''] = services.platform?.volumes ?? [];
    const [name = '', path = ''] = volume.split(':');
    expect(Object.keys(volumes)).toContain(name);
    expect(argumentsOf(/^CMD (\[.*\])$/m)).toContain(path);
    expect(sampleText('Dockerfile')).toContain(`VOLUME ${path}\n`);
    // The platform ends within 10 s.
    expect(Number.parseInt(services.platform?.stop_grace_period ?? '', 10)).toBeGreaterThan(10);
  });
});
