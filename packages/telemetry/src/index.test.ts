import { expect, it } from 'vitest';
import * as telemetry from './index.ts';

it('exports exactly these names', () => {
  expect(Object.keys(telemetry).sort()).toEqual([
    'Telemetry',
    'currentTrace',
    'readTraceContext',
    'runInTrace',
    'traceHeaders',
    'withTraceHeaders',
  ]);
});
