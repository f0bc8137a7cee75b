import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, vi } from 'vitest';
import { lineagesOf, type SpanRecord } from '../harness/lineages.ts';
import { TelemetryProject } from '../projects/index.ts';
import { verifies } from '../verifies.ts';

/** npm in a process of its own. */
vi.setConfig({ testTimeout: 240_000 });

interface Recorded {
  readonly text: string;
  readonly version: string;
  readonly spans: readonly SpanRecord[];
  readonly metrics: readonly string[];
}

verifies('tracing.api-versions', () => {
  const project = new TelemetryProject();
  onTestFinished(() => project.remove());
  const [oldest, newest] = [project.run('oldest') as Recorded, project.run('newest') as Recorded];
  expect([oldest.version, newest.version]).toEqual(['1.3.0', expect.stringMatching(/^1\.(1\d|[2-9]\d)\./)]);
  const manifest = fileURLToPath(import.meta.resolve('@molecule-ai/core/package.json'));
  const { peerDependencies } = JSON.parse(readFileSync(manifest, 'utf8'));
  expect(peerDependencies['@opentelemetry/api']).toBe(`^${oldest.version}`);
  const accepted = 'user > molecule send_message > molecule accept';
  for (const { text, spans, metrics } of [oldest, newest]) {
    expect(text).toBe('done');
    expect(lineagesOf(spans)).toEqual([
      'user',
      'user > molecule send_message',
      accepted,
      `${accepted} > molecule handle`,
      `${accepted} > molecule handle > molecule reply`,
      `${accepted} > molecule outcome`,
    ]);
    expect(metrics).toEqual(
      expect.arrayContaining([
        'molecule.agent.handle.duration',
        'molecule.agent.heartbeats',
        'molecule.agent.messages.active',
        'molecule.client.call.duration',
        'molecule.platform.accept.duration',
        'molecule.platform.queue.depth',
      ]),
    );
  }
  expect(oldest.metrics.toSorted()).toEqual(newest.metrics.toSorted());
  expect(project.run('future')).toEqual({ text: 'done', used: [] });
});
