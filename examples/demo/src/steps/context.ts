import type { OperatorClient } from '@molecule-ai/core/operator';
import type { PlatformProcess } from '@molecule-tests/harness';
import type { AgentProcess } from '../agent-process.ts';
import type { DemoRun } from '../demo-run.ts';

/** What every step after the first has. */
export interface WithPlatform {
  readonly run: DemoRun;
  readonly platform: PlatformProcess & { readonly dataDirectory: string };
  readonly operator: OperatorClient;
}

/** What the steps have once the agents run. */
export interface WithAgents extends WithPlatform {
  readonly lead: AgentProcess;
  readonly lab: AgentProcess;
  readonly desk: AgentProcess;
  readonly board: AgentProcess;
  /** What only this child knows, drawn for this run. */
  readonly known: { readonly lab: string; readonly desk: string; readonly board: string };
}
