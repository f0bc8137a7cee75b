/**
 * The Molecule AI control plane as a library. This file is a contract: names are added here with a reason and
 * removed only with a major version; a test pins the list.
 */

export type { LogFields, PlatformLogger } from './logging/logger.ts';
export type { PlatformOptions } from './options/platform-options.ts';
export { type OptionProblem, PlatformOptionsError } from './options/platform-options-error.ts';
export type { ContractCheck, HierarchyMode, PlatformMode } from './options/platform-settings.ts';
export { createPlatform, type Platform } from './platform.ts';
export { PlatformStartError, type PlatformStartErrorCode } from './platform-start-error.ts';
export type { Clock } from './time/clock.ts';
