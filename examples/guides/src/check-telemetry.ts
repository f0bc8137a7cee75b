import assert from 'node:assert/strict';
import { context, metrics, trace } from '@opentelemetry/api';
import { AggregationTemporality, InMemoryMetricExporter } from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace';
import type { Stage } from './stage.ts';
import { startTelemetry } from './telemetry.ts';

/** Spans and metrics of one message reach the exporters. */
export async function checkTelemetry({ agent, operator }: Stage): Promise<void> {
  const exported: ReadableSpan[] = [];
  const spans = new InMemorySpanExporter();
  const values = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const { export: send } = spans;
  // An exporter in memory forgets everything when it is shut down.
  spans.export = (batch, done) => {
    exported.push(...batch);
    send.call(spans, batch, done);
  };
  const telemetry = startTelemetry(spans, values);
  const { id } = await agent('recorded', () => 'done');
  assert.equal((await operator.sendMessage(id, 'go')).text, 'done');
  await telemetry.stop();
  for (const api of [trace, metrics, context]) api.disable();
  const names = exported.map(({ name }) => name);
  for (const name of ['send_message', 'accept', 'handle', 'reply', 'outcome']) {
    assert.ok(names.includes(`molecule ${name}`), `a span of ${name}`);
  }
  const measured = JSON.stringify(values.getMetrics());
  assert.ok(measured.includes('molecule.agent.handle.duration'));
}
