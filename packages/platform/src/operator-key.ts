import type { PlatformSettings } from './options/platform-settings.ts';
import { readPrivateFile, writePrivateFile } from './storage/private-file.ts';
import { createTokenSecret } from './tokens/token-secret.ts';

/** The operator's key and where it is kept, if it is (decision 2). */
export interface OperatorKey {
  readonly key: string;
  /** A 0600 file with the key; null in production and in memory. */
  readonly path: string | null;
}

/** In production the given key; in dev mode the given one, the stored one, or a new one, kept for the next start. */
export function resolveOperatorKey(settings: PlatformSettings, path: string | null): OperatorKey {
  if (settings.mode === 'production' || path === null) {
    return { key: settings.operatorKey ?? createTokenSecret().token, path: null };
  }
  const stored = readPrivateFile(path)?.trim();
  const key =
    settings.operatorKey ?? (stored === undefined || stored === '' ? createTokenSecret().token : stored);
  if (key !== stored) writePrivateFile(path, `${key}\n`);
  return { key, path };
}
