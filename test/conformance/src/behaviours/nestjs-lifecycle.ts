import { behaviours } from './behaviour.ts';

/** The adapter for NestJS: how agents start and end with the application. */
export const NESTJS_LIFECYCLE = behaviours({
  'nestjs.lifecycle.after-bootstrap': [
    'No message is handled before each onApplicationBootstrap of the application is done, however it is started.',
    'docs/decisions/0117-nestjs.md#start',
  ],
  'nestjs.lifecycle.platform-down': [
    'A platform that is down does not delay the start of the application; its agent is degraded, and joins when the platform is back.',
    'docs/decisions/0117-nestjs.md#start',
  ],
  'nestjs.lifecycle.failed-start': [
    'An application that fails to start starts no agent; when one of several agents cannot start, the others end.',
    'docs/decisions/0117-nestjs.md#start',
  ],
  'nestjs.lifecycle.early-start': [
    'Messages and events of an agent that is started before its application wait for the start; when the application closes instead, the messages are handled by the next run.',
    'docs/decisions/0117-nestjs.md#start',
  ],
  'nestjs.lifecycle.manual-start': [
    'With manualStart the application does not start its agent; the test does.',
    'docs/decisions/0117-nestjs.md#start',
  ],
  'nestjs.lifecycle.drains-first': [
    'When the application closes, its agents take no more messages and finish those that run before any provider is destroyed (nestjs/mongoose#206).',
    'docs/decisions/0117-nestjs.md#shutdown',
  ],
  'nestjs.lifecycle.client-until-the-end': [
    'Hooks of the shutdown may use the client, which is closed after the last of them.',
    'docs/decisions/0117-nestjs.md#shutdown',
  ],
  'nestjs.lifecycle.closed-twice': [
    'An application may be closed twice.',
    'docs/decisions/0117-nestjs.md#shutdown',
  ],
  'nestjs.lifecycle.nothing-stays': [
    'Twenty restarts in one process leave no timer and no socket (nestjs/bull#2332).',
    'docs/decisions/0117-nestjs.md#shutdown',
  ],
});
