import { type MoleculeMatchers, moleculeMatchers } from '@molecule-ai/core/testing';
import { expect } from 'vitest';

expect.extend(moleculeMatchers);

declare module 'vitest' {
  interface Matchers<R extends void | Promise<void>> extends MoleculeMatchers<R> {}
}
