import type { OperatorClient } from '@molecule-ai/core/operator';
import type { Break } from '../arguments.ts';
import type { Checks } from '../output/checks.ts';
import type { Patience } from '../output/patience.ts';
import type { Timeline } from '../output/timeline.ts';
import type { Member } from '../stage/member.ts';
import type { PlatformProcess } from '../stage/platform-process.ts';
import type { Stage } from '../stage/stage.ts';

/** What every scene has at hand. */
export interface Play {
  readonly break: Break | undefined;
  readonly stage: Stage;
  readonly timeline: Timeline;
  readonly checks: Checks;
  readonly patience: Patience;
}

/** With a platform. */
export interface OpenPlay extends Play {
  readonly platform: PlatformProcess;
  readonly operator: OperatorClient;
}

/** With everybody on stage. */
export interface FullPlay extends OpenPlay {
  readonly lead: Member;
  readonly lab: Member;
  readonly desk: Member;
  /** What only this child knows, drawn for this run. */
  readonly known: { readonly lab: string; readonly desk: string };
}
