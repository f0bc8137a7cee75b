import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ProgramProcess } from '@molecule-tests/harness';
import { expect, vi } from 'vitest';
import { type HeartbeatProxy, startHeartbeatProxy } from '../harness/heartbeat-proxy.ts';
import { createMember, type Member } from '../harness/members.ts';
import { behindProxy, expectOnly, PLATFORM_CERTIFICATE, startProxy } from '../harness/proxied.ts';
import { onEachDatabase, type TestEnvironment } from '../harness/test-environment.ts';
import { verifies } from '../verifies.ts';

/** Real heartbeats, a second apart, in processes of their own. */
vi.setConfig({ testTimeout: 120_000 });

const PROGRAM = fileURLToPath(new URL('../harness/worker-agents-program.ts', import.meta.url));

onEachDatabase('a blocked agent behind an HTTP proxy', { onDisk: true }, (environment) => {
  verifies('client.proxy.heartbeats', async () => {
    const credentials = 'agent:of the office';
    for (const scheme of ['http', 'https'] as const) {
      const tls = scheme === 'https' ? PLATFORM_CERTIFICATE : undefined;
      const platform = await environment.platform();
      const counting = await startHeartbeatProxy(environment, platform.url, tls && { tls });
      const proxy = await startProxy(environment, { credentials, ...(tls && { tls }) });
      const member = await createMember(platform);
      const url = proxy.url.replace('//', '//agent:of%20the%20office@');
      const log = await runBlockedAgent(environment, counting, member, {
        [`${scheme}_proxy`]: url,
      });
      expect(log.entriesOf('running')).toMatchObject([{ heartbeats: ['worker'], ok: [true] }]);
      const [blocked] = log.entriesOf('blocked') as unknown as Record<string, Record<string, number>>[];
      expect(blocked?.after?.[member.id]).toBeGreaterThanOrEqual((blocked?.before?.[member.id] ?? 0) + 2);
      expectOnly(proxy, counting);
    }
  });
});

/** Runs an agent whose event loop is blocked for two heartbeats in a process of its own. */
async function runBlockedAgent(
  environment: TestEnvironment,
  platform: HeartbeatProxy,
  { id, token }: Member,
  variables: Readonly<Record<string, string>>,
) {
  const folder = environment.folder();
  const authority = join(folder, 'ca.pem');
  writeFileSync(authority, PLATFORM_CERTIFICATE.cert);
  const agent = {
    platformUrl: behindProxy(platform).url,
    workspaceId: id,
    authToken: token,
    storage: { directory: join(folder, id) },
  };
  const program = new ProgramProcess({
    name: 'agent',
    program: PROGRAM,
    folder,
    environment: {
      AGENTS: JSON.stringify([agent]),
      HEARTBEATS_URL: platform.heartbeatsUrl,
      NODE_EXTRA_CA_CERTS: authority,
      ...variables,
    },
  });
  environment.onCleanup(() => program.kill());
  expect(await program.exit).toEqual({ code: 0, signal: null });
  expect(program.errors.text).not.toMatch(/molecule|Warning/i);
  return program.log;
}
