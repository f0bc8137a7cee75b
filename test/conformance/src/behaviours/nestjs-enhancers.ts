import { behaviours } from './behaviour.ts';

/** The adapter for NestJS: guards, pipes, interceptors and exception filters. */
export const NESTJS_ENHANCERS = behaviours({
  'nestjs.enhancers.all': [
    'Guards, pipes, interceptors and exception filters of parameters, methods, classes and the application run once for each message, with the context type molecule and what is injected in their scope, for each kind of host, sender, delivery, HTTP adapter and ValidationPipe.',
    'docs/decisions/0117-nestjs.md#enhancers',
  ],
  'nestjs.enhancers.interceptors': [
    'An interceptor can repeat the method, end it after a time, answer in its place, and change or continue its answer.',
    'docs/decisions/0117-nestjs.md#enhancers',
  ],
  'nestjs.enhancers.per-agent': [
    'Several agents of an application have handlers with enhancers of their own, and each decides about the global ones.',
    'docs/decisions/0117-nestjs.md#enhancers',
  ],
  'nestjs.enhancers.hanging': [
    'A guard that never decides keeps neither a message from being cancelled nor the application from closing.',
    'docs/decisions/0117-nestjs.md#enhancers',
  ],
  'nestjs.enhancers.global-off': [
    'Global enhancers, those of APP_ tokens in each scope and those that main.ts adds, run for messages unless globalEnhancers is false; others always run.',
    'docs/decisions/0117-nestjs.md#enhancers',
  ],
  'nestjs.enhancers.http-guards': [
    'A guard for HTTP recognises messages by the context type, and guards requests as before (golevelup/nestjs#409, #454, #729; rekog-labs/MCP-Nest#228).',
    'docs/decisions/0117-nestjs.md#enhancers',
  ],
  'nestjs.enhancers.parameters': [
    'Pipes and schemas apply to the text and params of a message, a global ValidationPipe validates the class of params, and none of them touches the signal, the context, the message and the sender.',
    'docs/decisions/0117-nestjs.md#enhancers',
  ],
  'nestjs.enhancers.left-out': [
    'An enhancer or parameter decorator that Nest would silently leave out is an error at start that names it and the method.',
    'docs/decisions/0117-nestjs.md#enhancers',
  ],
});
