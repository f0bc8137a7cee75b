import {
  type AckRequest,
  type AckResponse,
  isEnded,
  type Outcome as OutcomeReport,
  type OutcomeReceipt as ReportReceipt,
} from '@molecule-ai/protocol';
import type { ReadingPositions } from '../activity/reading-positions.ts';
import type { PlatformContext } from '../context.ts';
import type { UnitOfWork } from '../database/platform-database.ts';
import type { WorkspaceRow } from '../database/schema.ts';
import type { WorkspaceDirectory } from '../directory/workspace-directory.ts';
import type { MessageStore } from './message.store.ts';
import { type MessageEnd, messageStateOf, reportedEnd } from './outcome.ts';
import type { Transitions } from './transitions.ts';

interface AcknowledgementsOptions extends Pick<PlatformContext, 'database'> {
  readonly positions: ReadingPositions;
  readonly store: MessageStore;
  readonly transitions: Transitions;
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
    const { database, positions, transitions, workspaces } = this.#options;
    return database.transaction(async (unit) => {
      const workspace = await workspaces.require(workspaceId, unit.trx);
      const receipts = [];
      for (const report of reports ?? []) receipts.push(await this.#report(unit, workspace, report));
      const { id, seq } = await positions.advance(unit, workspace, upTo ?? undefined);
      const acknowledged = upTo === undefined ? 0 : await transitions.finishUpTo(unit, workspaceId, seq);
      return {
        status: 'acknowledged',
        up_to: id,
        seq,
        acknowledged,
        ...(reports === undefined ? {} : { outcomes: receipts }),
      };
    });
  }

  /**
   * Records what an agent reports about a message of its feed, and returns the state of the message then. Whatever is
   * reported as the end of a message whose time is over, it has expired.
   */
  async #report(
    unit: UnitOfWork,
    { id: workspaceId, visible_seq: visibleSeq }: Pick<WorkspaceRow, 'id' | 'visible_seq'>,
    report: OutcomeReport,
  ): Promise<ReportReceipt> {
    const { store, transitions } = this.#options;
    const { activity_id: id } = report;
    const lastSeq = Number(visibleSeq ?? Number.POSITIVE_INFINITY);
    const reported = reportedEnd(report);
    for (;;) {
      const message = await store.find({ id: id.toLowerCase() }, unit.trx);
      const isOther = message?.workspace_id !== workspaceId || message.message_id === null;
      if (isOther || Number(message.seq) > lastSeq) return { activity_id: id, state: 'unknown' };
      const state = messageStateOf(message);
      const isOverdue = message.expires_at !== null && message.expires_at <= unit.at;
      const end: MessageEnd | undefined = reported && isOverdue ? { state: 'expired' } : reported;
      // A run that asked has ended; the message has not, and ends as the one that continues it.
      if (message.continued_by !== null) return { activity_id: id, state };
      const isAsking = state === 'input_required' && (end === undefined || end.state === 'unanswered');
      if (isEnded(state) || isAsking) return { activity_id: id, state };
      if (end === undefined) {
        const isTaken = state === 'delivered';
        if (isTaken || (await transitions.apply(unit, message, { kind: 'take' })) !== undefined)
          return { activity_id: id, state: 'delivered' };
      } else if ((await transitions.end(unit, message, end)) !== undefined) {
        return { activity_id: id, state: end.state };
      }
    }
  }
}
