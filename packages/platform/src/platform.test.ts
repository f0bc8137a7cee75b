import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { drive, startPlatform } from '../test/running-platform.ts';
import * as entry from './index.ts';
import { createPlatform, type Platform, PlatformOptionsError, PlatformStartError } from './index.ts';

/** The built package, as a program that embeds it imports it. */
const PACKAGE = new URL('../dist/index.js', import.meta.url).href;
const runNode = (args: string[]) => promisify(execFile)(process.execPath, args);

const opened: Platform[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const platform of opened.splice(0)) await platform.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'molecule-platform-'));
  folders.push(folder);
  return folder;
}

async function startDev(options: entry.PlatformOptions): Promise<Platform> {
  const platform = await createPlatform({ mode: 'dev', port: 0, ...options });
  opened.push(platform);
  return platform;
}

describe('the package', () => {
  it('exports exactly these values', () => {
    expect(Object.keys(entry).sort()).toEqual([
      'PlatformOptionsError',
      'PlatformStartError',
      'createPlatform',
    ]);
  });
});

describe('starting', () => {
  it('opens nothing when the options are wrong', async () => {
    await expect(createPlatform({ memory: true, port: -1 })).rejects.toBeInstanceOf(PlatformOptionsError);
  });

  it('generates an operator key in dev mode and stores it for its owner only', async () => {
    const dataDir = join(newFolder(), 'data');
    const first = await startDev({ dataDir });
    const path = join(dataDir, 'operator-key');
    expect(first.operatorKeyPath).toBe(path);
    expect(readFileSync(path, 'utf8').trim()).toBe(first.operatorKey);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    await first.close();
    const second = await startDev({ dataDir });
    expect(second.operatorKey).toBe(first.operatorKey);
  });

  it.each(['000', '022'])('gives every file of the data folder mode 0600, with umask %s', async (umask) => {
    const dataDir = join(newFolder(), 'data');
    const program = `
      process.umask(0o${umask});
      const { createPlatform } = await import(${JSON.stringify(PACKAGE)});
      const platform = await createPlatform({ mode: 'dev', port: 0, dataDir: process.argv[1] });
      await fetch(platform.url + '/workspaces', { method: 'POST', body: '{"name":"a","external":true}' });
      const { readdirSync, statSync } = await import('node:fs');
      const modes = readdirSync(process.argv[1]).sort().map((name) => {
        return [name, (statSync(process.argv[1] + '/' + name).mode & 0o777).toString(8)];
      });
      console.log(JSON.stringify(modes));
      await platform.close();`;
    const { stdout, stderr } = await runNode(['--input-type=module', '-e', program, dataDir]);
    const modes = JSON.parse(stdout) as [string, string][];
    expect(modes.map(([name]) => name)).toEqual([
      'operator-key',
      'platform.db',
      'platform.db-shm',
      'platform.db-wal',
      'platform.lock',
      'platform.lock-journal',
    ]);
    expect(modes.filter(([, mode]) => mode !== '600')).toEqual([]);
    // Node's warning about its SQLite is nothing that an embedding program can act on.
    expect(stderr).toBe('');
  });

  it('removes the drafts of a killed process, and no other file', async () => {
    const dataDir = newFolder();
    const draft = join(dataDir, `operator-key.${randomUUID()}.tmp`);
    const mine = join(dataDir, 'notes.tmp');
    for (const path of [draft, mine]) writeFileSync(path, 'left behind');
    await startDev({ dataDir });
    expect(existsSync(draft)).toBe(false);
    expect(existsSync(mine)).toBe(true);
  });

  it('keeps workspaces and their tokens over a restart', async () => {
    const dataDir = newFolder();
    const first = drive(await startDev({ dataDir }));
    const { id, token } = await first.join();
    await first.platform.close();
    const second = drive(await startDev({ dataDir }));
    expect((await second.call('GET', `/workspaces/${id}/state`, { token })).status).toBe(200);
  });

  it('does not share a data folder, and can use it after the other has stopped', async () => {
    const dataDir = newFolder();
    const first = await startDev({ dataDir });
    const refusal = await startDev({ dataDir }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(PlatformStartError);
    expect(refusal).toMatchObject({ code: 'data_folder_in_use', hint: expect.any(String) });
    await first.close();
    await startDev({ dataDir });
  });

  it('closes everything again when the port is in use', async () => {
    const first = await startDev({ memory: true });
    const port = Number(new URL(first.url).port);
    const dataDir = newFolder();
    await expect(startDev({ dataDir, port })).rejects.toMatchObject({ code: 'port_in_use' });
    await startDev({ dataDir });
  });
});

describe('stopping', () => {
  it('returns the same promise to every caller', async () => {
    const platform = await startDev({ memory: true });
    const closing = platform.close();
    expect(platform.close()).toBe(closing);
    await closing;
    await platform[Symbol.asyncDispose]();
    await expect(fetch(`${platform.url}/health`)).rejects.toThrow();
  });

  it('completes a request in flight', async () => {
    const { platform, create } = await startPlatform();
    const { id } = await create();
    const body = JSON.stringify({ name: 'late' });
    const { port } = new URL(platform.url);
    const socket = connect(Number(port), '127.0.0.1');
    const answered = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('close', () => resolve(text));
    });
    const head = [
      `PATCH /workspaces/${id} HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      `Authorization: Bearer ${platform.operatorKey}`,
      `Content-Length: ${body.length}`,
    ].join('\r\n');
    await new Promise<void>((resolve) => socket.write(`${head}\r\n\r\n${body.slice(0, 5)}`, () => resolve()));
    await fetch(`${platform.url}/health`);
    const closed = platform.close();
    socket.write(body.slice(5));
    expect(await answered).toContain('HTTP/1.1 200 OK');
    await closed;
  });

  it('does not wait longer than stopTimeoutMs', async () => {
    const { platform } = await startPlatform({ stopTimeoutMs: 50 });
    const socket = connect(Number(new URL(platform.url).port), '127.0.0.1');
    const ended = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.on('error', () => {});
    await new Promise<void>((resolve) =>
      socket.write('POST /session HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n', () => resolve()),
    );
    await fetch(`${platform.url}/health`);
    await platform.close();
    await ended;
  });
});

describe('the time that calls are held', () => {
  it.each([
    [25, []],
    [29, []],
    [30, [{ answerHoldSeconds: 30 }]],
    [120, [{ answerHoldSeconds: 120 }]],
  ])('of %i seconds: warnings', async (answerHoldSeconds, expected) => {
    const warnings: { fields: object; message: string }[] = [];
    const ignore = () => {};
    const warn = (fields: object, message: string) => void warnings.push({ fields, message });
    await startDev({
      memory: true,
      answerHoldSeconds,
      logger: { debug: ignore, info: ignore, warn, error: ignore },
    });
    expect(warnings.map(({ fields }) => fields)).toEqual(expected);
    for (const { message } of warnings) expect(message).toContain('channel bridge');
  });
});
