// Preloaded into the processes of `traces-processes.test.ts`: appends each span that has ended to SPANS_FILE, as a line of JSON.
import { appendFileSync } from 'node:fs';
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { SimpleSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { recordOf } from './lineages.ts';

const { SPANS_FILE = '' } = process.env;
const exporter: SpanExporter = {
  export: (spans, onEnd) => {
    for (const span of spans) appendFileSync(SPANS_FILE, `${JSON.stringify(recordOf(span))}\n`);
    onEnd({ code: 0 });
  },
  forceFlush: async () => {},
  shutdown: async () => {},
};
trace.setGlobalTracerProvider(
  new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
);
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
