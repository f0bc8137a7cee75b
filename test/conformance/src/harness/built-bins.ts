import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The file of the platform's bin, found as npm would. */
export function platformBin(): string {
  const manifest = fileURLToPath(import.meta.resolve('@molecule-ai/platform/package.json'));
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: Record<string, string> };
  const file = Object.values(bin)[0];
  if (file === undefined) throw new Error(`${manifest} names no bin`);
  return join(dirname(manifest), file);
}
