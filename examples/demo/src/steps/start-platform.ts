import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorClient } from '@molecule-ai/core/operator';
import { startPlatformProcess } from '@molecule-tests/harness';
import type { DemoRun } from '../demo-run.ts';
import { freePort } from '../free-port.ts';
import type { WithPlatform } from './context.ts';

/** Starts the platform in dev mode and connects to it as its operator. */
export async function startPlatform(run: DemoRun): Promise<WithPlatform> {
  const { timeline, deadline, folder } = run;
  timeline.step('1  A platform, in a process of its own');
  const dataDirectory = join(folder, 'platform');
  const port = await freePort();
  // Its own name for itself. Only a platform that knows it gives peers the tokens by which they call each other directly.
  const EXTERNAL_PLATFORM_URL = `http://127.0.0.1:${port}`;
  const wrapping = run.break === 'no-wrap' ? { MOLECULE_WRAP_PEER_RESULTS: 'false' } : {};
  const starting = startPlatformProcess({
    folder,
    dataDirectory,
    port,
    arguments: ['--dev', '--log-level', 'warn'],
    environment: { HOME: folder, EXTERNAL_PLATFORM_URL, ...contractCheck(), ...wrapping },
    signal: deadline.signal,
    onProcess: (started) => run.own(started),
  });
  const platform = await deadline.waitFor('the platform to say where it listens', starting);
  timeline.line('log', 'platform', `it listens on ${platform.url}`);
  const files = readdirSync(dataDirectory).filter((file) => !/\.db-|\.lock/.test(file));
  const { pid } = platform.process;
  timeline.line('process', 'platform', `process ${pid} keeps ${files.join(', ')} in ${dataDirectory}`);
  const operator = new OperatorClient({ platformUrl: platform.url, operatorKey: platform.operatorKey });
  return { run, platform: { ...platform, dataDirectory }, operator };
}

/** In this repository's tests the platform checks each exchange against the strict wire schemas. */
function contractCheck(): Record<string, string> {
  const level = process.env.MOLECULE_CONTRACT_CHECK;
  return level === undefined ? {} : { MOLECULE_CONTRACT_CHECK: level };
}
