import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RequestDispatcher } from '@molecule-ai/core';
import { clientPort } from '@molecule-ai/core/adapter-kit';
import { recordingLogger } from '@molecule-ai/core/testing';
import { type LogEntry, type LogFile, ProgramProcess } from '@molecule-tests/harness';
import { Agent } from 'undici';
import { expect, vi } from 'vitest';
import {
  type HeartbeatProxy,
  type HeartbeatProxyOptions,
  startHeartbeatProxy,
} from '../harness/heartbeat-proxy.ts';
import { valueAt } from '../harness/http.ts';
import { startKillableAgent } from '../harness/killable-agent.ts';
import { createMember, type Member, send } from '../harness/members.ts';
import { onEachDatabase, type TestEnvironment } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

/** Real heartbeats, a second apart, in processes of their own. */
vi.setConfig({ testTimeout: 240_000 });

const PROGRAM = fileURLToPath(new URL('../harness/worker-agents-program.ts', import.meta.url));
const CERTIFICATE = JSON.parse(
  readFileSync(new URL('../../data/self-signed.json', import.meta.url), 'utf8'),
) as Required<HeartbeatProxyOptions>['tls'];

interface Stage {
  readonly members: readonly Member[];
  readonly proxy: HeartbeatProxy;
}

async function stage(
  environment: TestEnvironment,
  agents: number,
  options?: HeartbeatProxyOptions,
): Promise<Stage> {
  const platform = await environment.platform();
  const proxy = await startHeartbeatProxy(environment, platform.url, options);
  const members = await Promise.all(Array.from({ length: agents }, () => createMember(platform)));
  return { members, proxy };
}

interface ProgramRun {
  readonly log: LogFile;
  readonly warnings: string;
  readonly exit: { readonly code: number | null };
}

/** Runs the agents of a stage in a process of their own, to its end. */
async function run(
  environment: TestEnvironment,
  { members, proxy }: Stage,
  variables: Readonly<Record<string, string>> = {},
): Promise<ProgramRun> {
  const folder = environment.folder();
  const agents = members.map(({ id, token }) => ({
    platformUrl: proxy.url,
    workspaceId: id,
    authToken: token,
    storage: { directory: join(folder, id) },
  }));
  const program = new ProgramProcess({
    name: 'agents',
    program: PROGRAM,
    folder,
    environment: { AGENTS: JSON.stringify(agents), HEARTBEATS_URL: proxy.heartbeatsUrl, ...variables },
  });
  environment.onCleanup(() => program.kill());
  const exit = await program.exit;
  return { log: program.log, warnings: program.errors.text, exit };
}

/** The numbers of heartbeats of each agent before and after its event loop was blocked. */
function countsOf({ members }: Stage, entry: LogEntry | undefined): readonly (readonly [number, number])[] {
  const { before, after } = entry as unknown as Record<'before' | 'after', Record<string, number>>;
  return members.map(({ id }) => [before[id] ?? 0, after[id] ?? 0]);
}

/** The file of the authority in the folder of a test. */
function authority(environment: TestEnvironment): string {
  const file = join(environment.folder(), 'ca.pem');
  writeFileSync(file, CERTIFICATE.cert);
  return file;
}

onEachDatabase('heartbeats from the worker', { onDisk: true }, (environment) => {
  verifies('presence.worker.shared-by-copies', async () => {
    const staged = await stage(environment, 2);
    const { log, warnings, exit } = await run(environment, staged);
    expect(warnings).toBe('');
    expect(log.entriesOf('started')).toMatchObject([{ copies: 2 }]);
    expect(log.entriesOf('running')).toMatchObject([{ heartbeats: ['worker', 'worker'], ok: [true, true] }]);
    const [bothBlocked, oneBlocked] = log.entriesOf('blocked');
    for (const [before, after] of countsOf(staged, bothBlocked))
      expect(after).toBeGreaterThanOrEqual(before + 2);
    const [[stoppedBefore, stoppedAfter] = [], [before = 0, after] = []] = countsOf(staged, oneBlocked);
    expect(stoppedAfter).toBe(stoppedBefore);
    expect(after).toBeGreaterThanOrEqual(before + 2);
    expect(log.entriesOf('worker started')).toHaveLength(1);
    expect(log.entriesOf('worker ended')).toHaveLength(1);
    expect(exit).toEqual({ code: 0, signal: null });
  });

  const ways: readonly (readonly [string, (file: string) => Readonly<Record<string, string>>])[] = [
    ['NODE_EXTRA_CA_CERTS', (file) => ({ NODE_EXTRA_CA_CERTS: file })],
    ['--use-openssl-ca', (file) => ({ SSL_CERT_FILE: file, NODE_OPTIONS: '--use-openssl-ca' })],
    ['NODE_TLS_REJECT_UNAUTHORIZED', () => ({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })],
    ['--use-system-ca', (file) => ({ SSL_CERT_FILE: file, NODE_OPTIONS: '--use-system-ca' })],
  ];
  for (const [name, variables] of ways) {
    verifies('presence.worker.certificates', `the worker trusts what ${name} names`, async () => {
      const staged = await stage(environment, 1, { tls: CERTIFICATE });
      const { log, warnings, exit } = await run(environment, staged, variables(authority(environment)));
      expect(warnings).not.toContain('"level"');
      expect(log.entriesOf('running')).toMatchObject([{ heartbeats: ['worker'], ok: [true] }]);
      const [[before = 0, after] = []] = countsOf(staged, log.entriesOf('blocked')[0]);
      expect(after).toBeGreaterThanOrEqual(before + 2);
      expect(exit).toEqual({ code: 0, signal: null });
    });
  }

  verifies('presence.worker.certificates', 'authorities that a program adds', async () => {
    const staged = await stage(environment, 1, { tls: CERTIFICATE });
    const { log, warnings, exit } = await run(environment, staged, { DEFAULT_CA: authority(environment) });
    expect(log.entriesOf('running')).toMatchObject([{ heartbeats: ['main thread'], ok: [true] }]);
    expect(warnings.trimEnd().split('\n')).toEqual([
      expect.stringContaining(
        '"level":"warn","message":"Heartbeats are sent from the main thread, because the worker thread does not trust',
      ),
    ]);
    expect(log.entriesOf('worker ended')).toHaveLength(1);
    expect(exit).toEqual({ code: 0, signal: null });
  });

  verifies('presence.worker.certificates', 'a certificate that nobody trusts for a while', async () => {
    const { members, proxy } = await stage(environment, 1, { tls: CERTIFICATE });
    const [member = { id: '' }] = members;
    const logger = recordingLogger();
    const client = environment.client(proxy, member, { logger });
    const thread = clientPort(client).openHeartbeatThread({
      intervalMs: 30_000,
      maxBlockMs: 300_000,
      onRepeated: () => {},
    });
    if (thread === null) throw new Error('the client has no worker');
    environment.onCleanup(() => thread.close());
    const failing: RequestDispatcher = {
      dispatch: (_, handler) => {
        queueMicrotask(() => handler.onResponseError(undefined, new Error('not trusted either')));
        return true;
      },
    };
    const heartbeat = (direct: RequestDispatcher) => {
      const { place } = thread;
      const through = () => thread.through(direct);
      const own = { place, through, authorize: () => {}, close: async () => {} };
      return clientPort(client).heartbeat({}, { isRetried: false, thread: own });
    };
    await expect(heartbeat(failing)).rejects.toThrow();
    await expect.poll(() => thread.place, { timeout: 10_000 }).toBe('worker');
    await expect(heartbeat(failing)).rejects.toThrow();
    expect([thread.place, logger.messages('warn')]).toEqual(['worker', []]);
    const trusting = new Agent({ connect: { ca: CERTIFICATE.cert } });
    environment.onCleanup(() => trusting.close());
    await heartbeat(trusting as unknown as RequestDispatcher);
    expect(thread.place).toBe('main thread');
    expect(logger.messages('warn')).toHaveLength(1);
    await heartbeat(trusting as unknown as RequestDispatcher);
    expect(logger.messages('warn')).toHaveLength(1);
  });

  verifies('presence.worker.certificates', 'worker: untrusted', async () => {
    const staged = await stage(environment, 1, { tls: CERTIFICATE });
    const { log, warnings, exit } = await run(environment, staged);
    expect(log.entriesOf('failed')).toMatchObject([
      {
        code: 'connection_failed',
        message: `ConnectionError: The connection to ${staged.proxy.url} failed (DEPTH_ZERO_SELF_SIGNED_CERT).`,
        hint: expect.stringContaining('add its authority with NODE_EXTRA_CA_CERTS'),
      },
    ]);
    expect(log.entriesOf('worker started')).toEqual([]);
    expect(warnings).toBe('');
    expect(exit).toEqual({ code: 0, signal: null });
  });

  verifies('presence.worker.paused-process', async () => {
    const platform = await environment.platform();
    const member = await createMember(platform);
    const path = `/workspaces/${member.id}`;
    const options = { delivery: 'long-poll', stateDirectory: environment.folder() } as const;
    const agent = startKillableAgent(environment, platform, member, {
      ...options,
      heartbeatIntervalMs: 1_000,
    });
    await agent.waitForEvent('online');
    await platform.operator.post(`${path}/pause`);
    await agent.waitForEvent('paused');
    const seen = new Set<unknown>();
    while (seen.size < 3 && agent.isRunning) {
      seen.add(valueAt((await platform.operator.get(path)).body, 'last_heartbeat_at'));
    }
    expect(agent.isRunning).toBe(true);
    await platform.operator.post(`${path}/resume`);
    await agent.waitForEvent('resumed');
    await send(platform.operator, member.id, 'still there');
    await agent.waitForEvent('replied');
  });
});
