import { randomUUID } from 'node:crypto';
import fs, { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { openFolder } from '../test/resources-of-test.ts';
import { startPlatform, withDefaults } from '../test/running-platform.ts';
import * as entry from './index.ts';
import { createPlatform, type Platform, PlatformOptionsError, PlatformStartError } from './index.ts';
import { silentLogger } from './logging/logger.ts';

async function startDev(options: entry.PlatformOptions): Promise<Platform> {
  const dev: entry.PlatformOptions = { mode: 'dev', server: { port: 0 }, data: { synchronous: 'normal' } };
  const platform = await createPlatform(withDefaults(dev, options));
  onTestFinished(() => platform.close());
  return platform;
}

/** Sends the beginning of a request, and waits until the platform has it. */
async function sendBeginning({ url }: Platform, lines: readonly string[], body = '') {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  await new Promise<void>((resolve) => socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`, () => resolve()));
  await fetch(`${url}/health`);
  return socket;
}

it('the package exports exactly these values', () => {
  expect(Object.keys(entry).sort()).toEqual(['PlatformOptionsError', 'PlatformStartError', 'createPlatform']);
});

describe('starting', () => {
  it('opens nothing when the options are wrong', async () => {
    await expect(
      createPlatform({ data: { directory: ':memory:' }, server: { port: -1 } }),
    ).rejects.toBeInstanceOf(PlatformOptionsError);
  });

  it('generates an operator key in dev mode and stores it for its owner only', async () => {
    const dataDir = join(openFolder(), 'data');
    const first = await startDev({ data: { directory: dataDir } });
    const path = join(dataDir, 'operator-key');
    expect(first.operatorKeyPath).toBe(path);
    expect(readFileSync(path, 'utf8').trim()).toBe(first.operatorKey);
    expect([statSync(path).mode & 0o777, statSync(dataDir).mode & 0o777]).toEqual([0o600, 0o700]);
    await first.close();
    expect((await startDev({ data: { directory: dataDir } })).operatorKey).toBe(first.operatorKey);
  });

  it('removes the drafts of a killed process, and no other file', async () => {
    const dataDir = openFolder();
    const draft = join(dataDir, `operator-key.${randomUUID()}.tmp`);
    const mine = join(dataDir, 'notes.tmp');
    for (const path of [draft, mine]) writeFileSync(path, 'left behind');
    await startDev({ data: { directory: dataDir } });
    expect([draft, mine].map(existsSync)).toEqual([false, true]);
  });

  it('does not share a data folder, and can use it after the other has stopped', async () => {
    const dataDir = openFolder();
    const first = await startDev({ data: { directory: dataDir } });
    const refusal = await startDev({ data: { directory: dataDir } }).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(PlatformStartError);
    expect(refusal).toMatchObject({ code: 'data_folder_in_use', hint: expect.any(String) });
    await first.close();
    await startDev({ data: { directory: dataDir } });
  });

  it('closes everything again when the port is in use', async () => {
    const { url } = await startDev({ data: { directory: ':memory:' } });
    const [port, dataDir] = [Number(new URL(url).port), openFolder()];
    await expect(startDev({ data: { directory: dataDir }, server: { port } })).rejects.toMatchObject({
      code: 'port_in_use',
    });
    await startDev({ data: { directory: dataDir } });
  });
});

it('says that it has failed, and why, when the disk does not take a commit', async () => {
  const error = vi.fn();
  const logger = { ...silentLogger, error };
  const platform = await startDev({ data: { directory: openFolder(), synchronous: 'full' }, logger });
  const broken = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
  const spy = vi.spyOn(fs, 'fdatasync').mockImplementation((_file, onEnd) => onEnd(broken));
  syncBuiltinESMExports();
  onTestFinished(() => {
    spy.mockRestore();
    syncBuiltinESMExports();
  });
  const response = await fetch(`${platform.url}/workspaces`, {
    method: 'POST',
    headers: { authorization: `Bearer ${platform.operatorKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'agent' }),
  });
  expect(response.status).toBe(503);
  expect(await platform.failed).toMatchObject({ cause: broken });
  expect(error).toHaveBeenCalledWith(
    { reason: broken.message },
    expect.stringContaining('Start the platform again'),
  );
});

describe('stopping', () => {
  it('returns the same promise to every caller', async () => {
    const platform = await startDev({ data: { directory: ':memory:' } });
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
    const head = [
      `PATCH /workspaces/${id} HTTP/1.1`,
      'Host: x',
      `Authorization: Bearer ${platform.operatorKey}`,
      `Content-Length: ${body.length}`,
    ];
    const socket = await sendBeginning(platform, head, body.slice(0, 5));
    const closed = platform.close();
    socket.write(body.slice(5));
    expect(await text(socket)).toContain('HTTP/1.1 200 OK');
    await closed;
  });

  it('does not wait longer than stopTimeoutMs', async () => {
    const { platform } = await startPlatform({ server: { stopTimeoutMs: 50 } });
    const head = ['POST /session HTTP/1.1', 'Host: x', 'Content-Length: 10'];
    const socket = await sendBeginning(platform, head);
    const ended = new Promise((resolve) => socket.on('close', resolve));
    await platform.close();
    await ended;
  });
});
