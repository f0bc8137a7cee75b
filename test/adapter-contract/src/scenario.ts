import type { Stage, StageOptions } from './stage.ts';

/** Something that has to go as it says, in one run. */
export interface Scenario {
  readonly id: string;
  /** For the page of an adapter. */
  readonly about: string;
  readonly stage?: Omit<StageOptions, 'driver'>;
  readonly run: (stage: Stage) => Promise<void>;
}
