import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTraceContext, traceHeaders } from './trace-context.ts';

/** Any code point; the unit `binary` of fast-check makes a table of all of them first, which takes seconds. */
const codePoint = fc.nat({ max: 0x10ffff }).map((code) => String.fromCodePoint(code));

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('a trace context', () => {
  it('is read and written unchanged', () => {
    const trace = readTraceContext(TRACEPARENT, 'a=1,tenant@system= x/y');
    expect(traceHeaders(trace)).toEqual({ traceparent: TRACEPARENT, tracestate: 'a=1,tenant@system= x/y' });
    expect(traceHeaders(readTraceContext(TRACEPARENT))).toEqual({ traceparent: TRACEPARENT });
    expect(traceHeaders(null)).toEqual({});
  });

  it.each([
    ['nothing', undefined],
    ['a list', [TRACEPARENT]],
    ['two values', `${TRACEPARENT}, ${TRACEPARENT}`],
    ['capitals', TRACEPARENT.toUpperCase()],
    ['a trace of zeros', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`],
    ['a parent of zeros', `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`],
    ['more than version 00 has', `${TRACEPARENT}-00`],
    ['the version that is none', `ff${TRACEPARENT.slice(2)}`],
    ['a later version with something else', `01${TRACEPARENT.slice(2)}00`],
    ['a line break', `${TRACEPARENT}\r\nx: y`],
  ])('is none with %s', (_what, value) => {
    expect(readTraceContext(value, 'a=1')).toBeNull();
  });

  it('of a later version becomes one of version 00, without flags that are not known', () => {
    const later = `cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-more`;
    expect(readTraceContext(later)?.traceparent).toBe(`${TRACEPARENT.slice(0, -2)}03`);
  });

  it.each([
    ['no pair', 'a'],
    ['a capital', 'A=1'],
    ['a value with a line break', 'a=1\r\nb'],
    ['a value that is not ASCII', 'a=é'],
    ['a key twice', 'a=1,a=2'],
    ['33 members', Array.from({ length: 33 }, (_, at) => `k${at}=1`).join()],
    ['more than 512 characters', `a=${'x'.repeat(200)},b=${'x'.repeat(200)},c=${'x'.repeat(200)}`],
  ])('has no state with %s', (_what, tracestate) => {
    expect(readTraceContext(TRACEPARENT, tracestate)).toEqual({ traceparent: TRACEPARENT, tracestate: '' });
  });

  it('whatever was given, is what a header may hold, and reads as itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: codePoint }), fc.boolean(), (text, isAppended) => {
        const trace = readTraceContext(isAppended ? `${TRACEPARENT}${text}` : TRACEPARENT, `a=1,b=${text}`);
        if (trace === null) return;
        expect(trace.traceparent).toHaveLength(55);
        expect(trace.tracestate).toMatch(/^[\x20-\x7e]{0,512}$/);
        expect(readTraceContext(trace.traceparent, trace.tracestate)).toEqual(trace);
      }),
      { seed: 1 },
    );
  });
});
