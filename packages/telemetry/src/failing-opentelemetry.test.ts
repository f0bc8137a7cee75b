import { afterEach, describe, expect, it, vi } from 'vitest';
import { Telemetry } from './telemetry.ts';
import { readTraceContext } from './trace-context.ts';
import { currentTrace, runInTrace } from './trace-scope.ts';

const REMOTE = readTraceContext('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 'a=1');
const telemetry = new Telemetry('test', '1.2.3');
const operations = telemetry.operations({
  channel: 'test:failing',
  kind: 'consumer',
  duration: { name: 'test.failing.duration', description: 'Work', unit: 's' },
  labels: ['outcome'],
});

describe('an OpenTelemetry that fails', () => {
  const SYMBOL = Symbol.for('opentelemetry.js.api.1');
  const fail = (): never => {
    throw new Error('of the application');
  };
  const ids = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 };
  const span = { spanContext: () => ids, setAttributes: fail, addEvent: fail, setStatus: fail, end: fail };
  const holding = (getValue: () => unknown) => {
    const held = { getValue, setValue: () => held, deleteValue: () => held };
    return () => held;
  };
  const active = holding(() => undefined);
  const once = (_context: unknown, run: () => unknown) => run();
  const spans = { getTracer: () => ({ startSpan: () => span }) };
  const metersThatFail = {
    getMeter: () => ({
      createHistogram: fail,
      createCounter: fail,
      createUpDownCounter: fail,
      createObservableGauge: () => ({ addCallback() {}, removeCallback: fail }),
    }),
  };
  const twice = (_context: unknown, run: () => unknown) => {
    run();
    return run();
  };
  const lateFailure = (_context: unknown, run: () => unknown) => {
    run();
    return fail();
  };
  const derived = async (_context: unknown, run: () => unknown) => run();
  const broken: Record<string, unknown> = {
    'is null': null,
    'is text': 'x',
    'has null members': { context: null, trace: null, metrics: null },
    'has members that throw': Object.defineProperties({}, { context: { get: fail }, trace: { get: fail } }),
    'active throws': { context: { active: fail, with: once }, trace: spans },
    'active is nothing': { context: { active: () => undefined, with: once }, trace: spans },
    'getValue throws': { context: { active: holding(fail), with: once }, trace: spans },
    'getValue is null': { context: { active: holding(() => null), with: once }, trace: spans },
    'a span throws': { context: { active: holding(() => ({ spanContext: fail })), with: once } },
    'a span has no context': {
      context: { active: holding(() => ({ spanContext: () => null })), with: once },
    },
    'startSpan is null': {
      context: { active, with: once },
      trace: { getTracer: () => ({ startSpan: () => null }) },
    },
    'startSpan throws': {
      context: { active, with: once },
      trace: { getTracer: () => ({ startSpan: fail }) },
    },
    'with throws': { context: { active, with: fail }, trace: spans },
    'with throws later': { context: { active, with: lateFailure }, trace: spans },
    'with does not run': { context: { active, with: () => 'other' }, trace: spans },
    'with runs twice': { context: { active, with: twice }, trace: spans },
    'with has a result of its own': { context: { active, with: derived }, trace: spans },
    'meters throw': { metrics: metersThatFail, trace: spans },
    'getMeter throws': { metrics: { getMeter: fail }, trace: spans },
  };
  const register = (api: unknown) =>
    Object.defineProperty(globalThis, SYMBOL, { value: api, configurable: true, writable: true });
  afterEach(() => Reflect.deleteProperty(globalThis, SYMBOL));

  it.each(Object.keys(broken))('changes nothing: %s', async (name) => {
    register(broken[name]);
    const outcomes = [
      () => 'own',
      () => Promise.resolve('own'),
      () => fail(),
      () => Promise.reject(new Error('own')),
    ];
    for (const outcome of outcomes) {
      const work = vi.fn<() => unknown>(outcome);
      const results = await runInTrace(REMOTE, async () => {
        expect([null, REMOTE?.traceparent]).toContain(currentTrace()?.traceparent ?? null);
        const operation = operations.start('work', () => ({}));
        const [own] = await Promise.allSettled([new Promise((resolve) => resolve(operation.run(work)))]);
        operation.event('moment', {});
        operation.end({}, 'code');
        return [own, ...(await Promise.allSettled([new Promise((resolve) => resolve(outcome()))]))];
      });
      expect(results[0]).toEqual(results[1]);
      expect(work).toHaveBeenCalledTimes(1);
    }
    telemetry.level({ name: 'test.level', description: 'Open', unit: '{x}' })(1);
    telemetry.observe({ name: 'test.seen', description: 'Seen', unit: '{x}' }, async () => {})();
  });
});
