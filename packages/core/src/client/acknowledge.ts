import { ApiError } from '../errors/api-error.ts';
import { postAck } from '../platform-api/activity.ts';
import type { CallOptions } from '../transport/platform-request.ts';
import type { ClientContext } from './client-context.ts';

/** What an acknowledgement did. */
export interface Acknowledgement {
  /** False when the platform is too old to know acknowledgements: then only the cursor counts. */
  readonly isSupported: boolean;
  /** How many rows it newly covers. */
  readonly acknowledged: number;
}

/** Tells the platform that all messages up to this row, by id or `seq`, are finished (decision 12). */
export async function acknowledgeUpTo(
  { transport, settings, logger }: ClientContext,
  upTo: string | number,
  options: CallOptions,
): Promise<Acknowledgement> {
  try {
    const { acknowledged } = await postAck(transport, settings.workspaceId, upTo, options);
    return { isSupported: true, acknowledged };
  } catch (error) {
    const isUnknownRoute =
      ApiError.isInstance(error) && (error.code === 'routing_problem' || error.status === 405);
    if (!isUnknownRoute) throw error;
    logger.debug({ error }, 'The platform knows no acknowledgements.');
    return { isSupported: false, acknowledged: 0 };
  }
}
