import { behaviours } from './behaviour.ts';

/** The adapter for NestJS, as it is packed, in fresh applications. */
export const NESTJS_CONSUMERS = behaviours({
  'nestjs.consumers-compile': [
    'Fresh applications of NestJS 10, 11 and 12, CommonJS and ES modules, strict or not, compile with the package and each sample of its README under their own compiler options.',
    'docs/decisions/0118-nestjs-edges.md#module-formats',
  ],
  'nestjs.consumers-import-type': [
    'Under the compiler options of NestJS 11 and 12 a message in a decorated signature is imported as a type, else the compiler reports TS1272; under those of NestJS 10 either compiles.',
    'docs/decisions/0118-nestjs-edges.md#module-formats',
  ],
  'nestjs.consumers-run': [
    'Such applications answer, with guards, validation, a provider for each message, a stream and push on Express, and their processes end by themselves.',
    'docs/decisions/0118-nestjs-edges.md#module-formats',
  ],
  'nestjs.consumers-unsupported': [
    'The compiler options of NestJS 10 make CommonJS only: an ES module application needs others.',
    'docs/decisions/0118-nestjs-edges.md#module-formats',
  ],
  'nestjs.consumers-tokens': [
    'A CommonJS library in an ES module application injects the client of the application, handles its events and reads messages, and an ES module library in a CommonJS application does as well.',
    'docs/decisions/0117-nestjs.md#modules',
  ],
  'nestjs.consumers-test-runner': [
    'The unchanged test runner of such an application, Jest or vitest, runs a test with the testing module, and ends by itself without open handles.',
    'docs/decisions/0118-nestjs-edges.md#module-formats',
  ],
  'nestjs.consumers-jest-esm': [
    'Jest with ES modules loads the package beside NestJS 12 without a cycle of require (Papooch/nestjs-cls#631).',
    'docs/decisions/0118-nestjs-edges.md#module-formats',
  ],
  'nestjs.consumers-commonjs-beside-esm': [
    'A CommonJS package with the adapter runs beside NestJS 12, which has ES modules only, in applications and under vitest (nestjs/nest#17583).',
    'docs/decisions/0118-nestjs-edges.md#module-formats',
  ],
});
