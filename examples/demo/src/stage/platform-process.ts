import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Actor } from './actor.ts';
import type { Stage } from './stage.ts';

export interface PlatformProcess {
  readonly actor: Actor;
  readonly url: string;
  readonly operatorKey: string;
  readonly dataFolder: string;
}

/** Starts the bin that `@molecule-ai/platform` publishes, in dev mode, on a free port and a folder of its own. */
export async function startPlatform(
  stage: Stage,
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<PlatformProcess> {
  const dataFolder = join(stage.folder, 'platform');
  const actor = stage.start({
    name: 'platform',
    program: platformBin(),
    arguments: ['--dev', '--port', '0', '--data-dir', dataFolder, '--json', '--log-level', 'warn'],
    environment,
  });
  const { url, operatorKey } = await actor.says(([first]) => first, signal);
  return { actor, url: String(url), operatorKey: String(operatorKey), dataFolder };
}

/** What `npx molecule-platform` would run. */
function platformBin(): string {
  const manifest = fileURLToPath(import.meta.resolve('@molecule-ai/platform/package.json'));
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: Record<string, string> };
  return join(dirname(manifest), bin['molecule-platform'] ?? '');
}
