import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The variables of `platform.env`. */
export function platformEnvironment(): Record<string, string> {
  return {
    ADMIN_TOKEN: randomBytes(32).toString('base64'),
    SECRETS_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    EXTERNAL_PLATFORM_URL: 'https://molecule.example.com',
  };
}

/** An empty folder of a project in which `@molecule-ai/platform` is installed, and what removes it. */
export function openProject(): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-service-'));
  mkdirSync(join(folder, 'node_modules', '@molecule-ai'), { recursive: true });
  const installed = dirname(fileURLToPath(import.meta.resolve('@molecule-ai/platform/package.json')));
  symlinkSync(installed, join(folder, 'node_modules', '@molecule-ai', 'platform'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
