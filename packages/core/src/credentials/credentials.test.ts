import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NEWER_TOKEN, TOKEN } from '../../test/agent-ids.ts';
import { recordingLogger } from '../testing/recording-logger.ts';
import { FileTokenStore } from './token-store.ts';

const hasModes = process.platform !== 'win32';
let folder: string;
let directory: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'molecule-credentials-'));
  directory = join(folder, 'state', 'inner');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o777).toString(8);
}

describe('FileTokenStore', () => {
  it('keeps the secret for pushes beside the token, mode 0600, and replaces it', async () => {
    const store = new FileTokenStore({ directory });
    expect(await store.loadInboundSecret()).toBeUndefined();
    await store.saveInboundSecret('secret-1');
    await store.saveInboundSecret('secret-2');
    expect(await new FileTokenStore({ directory }).loadInboundSecret()).toBe('secret-2');
    expect(await store.load()).toBeUndefined();
    const name = '.platform_inbound_secret';
    expect(await readdir(directory)).toEqual([name]);
    if (hasModes) expect(await modeOf(join(directory, name))).toBe('600');
    await expect(store.saveInboundSecret('two\nlines')).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('keeps a token in a file of mode 0600 in a folder of mode 0700', async () => {
    const store = new FileTokenStore({ directory });
    expect(await store.load()).toBeUndefined();
    await store.save(`  ${TOKEN}\n`);
    expect(await store.load()).toBe(TOKEN);
    expect(await readdir(directory)).toEqual(['.auth_token']);
    if (hasModes) {
      expect(await modeOf(store.path)).toBe('600');
      expect(await modeOf(directory)).toBe('700');
      expect(await modeOf(join(folder, 'state'))).toBe('700');
    }
    await store.save(NEWER_TOKEN);
    expect(await store.load()).toBe(NEWER_TOKEN);
  });

  it.runIf(hasModes)('leaves the mode of a folder it did not create', async () => {
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o755);
    await new FileTokenStore({ directory }).save(TOKEN);
    expect(await modeOf(directory)).toBe('755');
  });

  it('reads an empty file as no token, and reads the file of the Python SDK', async () => {
    const store = new FileTokenStore({ directory });
    await mkdir(directory, { recursive: true });
    await writeFile(store.path, ' \n', { mode: 0o600 });
    expect(await store.load()).toBeUndefined();
    await writeFile(store.path, TOKEN, { mode: 0o600 });
    expect(await store.load()).toBe(TOKEN);
  });

  it.each(['', '  \n', 'two words', 'break\nbreak', 'ünïcode'])('refuses to save %j', async (token) => {
    const store = new FileTokenStore({ directory });
    await store.save(TOKEN);
    await expect(store.save(token)).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(await store.load()).toBe(TOKEN);
  });

  it('refuses an invalid token file, without revealing its content', async () => {
    const store = new FileTokenStore({ directory });
    await mkdir(directory, { recursive: true });
    for (const content of [Buffer.from([0xff, 0xfe, 0x00]), `${TOKEN} ${TOKEN}`, 'x'.repeat(20_000)]) {
      await writeFile(store.path, content, { mode: 0o600 });
      const error: unknown = await store.load().catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: 'credential_storage_failed',
        message: expect.stringContaining(store.path),
      });
      expect(JSON.stringify(error)).not.toContain(TOKEN);
    }
    await rm(store.path);
    await mkdir(store.path);
    await expect(store.load()).rejects.toMatchObject({ code: 'credential_storage_failed' });
  });

  it.runIf(hasModes)('refuses a symbolic link, for reading and for writing', async () => {
    const target = join(folder, 'elsewhere');
    await writeFile(target, TOKEN, { mode: 0o600 });
    await mkdir(directory, { recursive: true });
    const store = new FileTokenStore({ directory });
    await symlink(target, store.path);
    await expect(store.load()).rejects.toThrow(/symbolic link/);
    await expect(store.save(NEWER_TOKEN)).rejects.toThrow(/symbolic link/);
    expect(await readFile(target, 'utf8')).toBe(TOKEN);
  });

  it.runIf(hasModes)('warns when others can read the token', async () => {
    const logger = recordingLogger();
    const store = new FileTokenStore({ directory, logger });
    await store.save(TOKEN);
    await store.load();
    expect(logger.messages('warn')).toEqual([]);
    await chmod(store.path, 0o644);
    expect(await store.load()).toBe(TOKEN);
    expect(logger.messages('warn')).toEqual(['A private file is readable by other users: run chmod 600.']);
    expect(JSON.stringify(logger.lines)).not.toContain(TOKEN);
  });

  it('reports a folder that cannot be written', async () => {
    await writeFile(join(folder, 'state'), 'a file, no folder');
    const store = new FileTokenStore({ directory });
    await expect(store.save(TOKEN)).rejects.toMatchObject({ code: 'credential_storage_failed' });
  });

  it('keeps the old token when a writer crashes before the rename, and removes its temporary file', async () => {
    const store = new FileTokenStore({ directory });
    await store.save(TOKEN);
    const left = join(directory, '.auth_token'.replace(/^/, '.').concat('.123.dead.tmp'));
    await writeFile(left, 'half a tok');
    expect(await store.load()).toBe(TOKEN);
    const longAgo = new Date(Date.now() - 3_600_000);
    await utimes(left, longAgo, longAgo);
    await store.save(NEWER_TOKEN);
    expect(await readdir(directory)).toEqual(['.auth_token']);
  });

  it('supports concurrent writers, each atomically', async () => {
    const tokens = Array.from({ length: 12 }, (_, index) => `${TOKEN}${index}`);
    await Promise.all(tokens.map((token) => new FileTokenStore({ directory }).save(token)));
    expect(tokens).toContain(await new FileTokenStore({ directory }).load());
    expect(await readdir(directory)).toEqual(['.auth_token']);
  });

  it('does not change the token while another process holds the lock', async () => {
    const store = new FileTokenStore({ directory, lockTimeoutMs: 60 });
    await store.save(TOKEN);
    const lock = `${store.path}.lock`;
    await writeFile(lock, `${process.pid} ${hostname()} other`);
    await expect(store.save(NEWER_TOKEN)).rejects.toMatchObject({ code: 'lock_timeout', isRetryable: true });
    expect(await store.load()).toBe(TOKEN);
    expect(await readFile(lock, 'utf8')).toContain('other');
  });
});
