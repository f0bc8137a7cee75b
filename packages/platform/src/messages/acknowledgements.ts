import type { AckRequest, AckResponse } from '@molecule-ai/protocol';
import type { ReadingPositions } from '../activity/reading-positions.ts';
import type { PlatformContext } from '../context.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import type { OutcomeRecorder } from './outcome/outcome-recorder.ts';

interface AcknowledgementsOptions extends Pick<PlatformContext, 'database'> {
  readonly positions: ReadingPositions;
  readonly outcomes: OutcomeRecorder;
  readonly workspaces: WorkspaceDirectory;
}

/** What agents say about the messages of their feeds. */
export class Acknowledgements {
  readonly #options: AcknowledgementsOptions;

  constructor(options: AcknowledgementsOptions) {
    this.#options = options;
  }

  /**
   * Records how the handling of single messages ended, then how far the agent has finished its feed: what it covers
   * without an answer or an outcome ends as `unanswered`. 404, and nothing is recorded, for an unknown `up_to`; what a
   * pause hides is unknown.
   */
  acknowledge(workspaceId: string, { up_to: upTo, outcomes: reports }: AckRequest): Promise<AckResponse> {
    const { database, outcomes, positions, workspaces } = this.#options;
    return database.transaction(async (unit) => {
      const workspace = await workspaces.require(workspaceId, unit.trx);
      const receipts = [];
      for (const report of reports ?? []) receipts.push(await outcomes.report(unit, workspace, report));
      const { id, seq } = await positions.advance(unit, workspace, upTo ?? undefined);
      const acknowledged = upTo === undefined ? 0 : await outcomes.acknowledge(unit, workspaceId, seq);
      return {
        status: 'acknowledged',
        up_to: id,
        seq,
        acknowledged,
        ...(reports === undefined ? {} : { outcomes: receipts }),
      };
    });
  }
}
