import { currentTrace, readTraceContext, runInTrace, traceHeaders } from '@molecule-ai/telemetry';

/** What a program does for its users: the requests that it sends belong to the trace that is current. */
const headers = () => traceHeaders(currentTrace());

const received = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
runInTrace(readTraceContext(received), () => console.log(headers()));
console.log(headers()); // outside of it
