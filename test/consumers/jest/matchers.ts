import { expect } from '@jest/globals';
import { type MoleculeMatchers, moleculeMatchers } from '@molecule-ai/core/testing';

expect.extend(moleculeMatchers);

declare module 'expect' {
  interface Matchers<R extends void | Promise<void>> extends MoleculeMatchers<R> {}
}
