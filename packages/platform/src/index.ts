/**
 * The Molecule AI control plane as a library. This list is the public API; a test pins it.
 */

export type { LogFields, PlatformLogger } from './logging/logger.ts';
export type { PlatformOptions } from './options/platform-options.ts';
export { type OptionProblem, PlatformOptionsError } from './options/platform-options-error.ts';
export { createPlatform, type Platform } from './platform.ts';
export { PlatformStartError, type PlatformStartErrorCode } from './platform-start-error.ts';
export type { Clock } from './time/clock.ts';
