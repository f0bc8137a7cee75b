import * as z from 'zod';
import { columnText } from './field-limits.ts';
import { IdempotencyKey, Uuid } from './ids.ts';
import { type WireType, wire } from './wire.ts';

/** The status of a delegation. A reader treats an unknown one as "still running". */
export const DELEGATION_STATUSES = [
  'pending',
  'dispatched',
  'queued',
  'received',
  'in_progress',
  'completed',
  'failed',
  'cancelled',
] as const;
export type DelegationStatus = (typeof DELEGATION_STATUSES)[number];

/**
 * Body of `POST /workspaces/:id/delegate`. Without `target_id` the path names the target and the bearer the
 * source. The idempotency key is valid per (source, target) for 24 h.
 */
export const DelegateRequest = wire('DelegateRequest', (w) =>
  w.object({
    target_id: w.maybe(Uuid),
    task: columnText().min(1),
    idempotency_key: w.maybe(IdempotencyKey),
  }),
);
export type DelegateRequest = WireType<typeof DelegateRequest>;

/** Response of delegate: 202 when new, 200 with `idempotent_hit` when the key was used for the same task. */
export const DelegateResponse = wire('DelegateResponse', (w) =>
  w.object({
    delegation_id: w.id(),
    status: w.oneOf(['delegated', ...DELEGATION_STATUSES]),
    target_id: w.promised(w.id()),
    idempotent_hit: w.maybe(z.literal(true)),
    warning: w.maybe(z.string()),
  }),
);
export type DelegateResponse = WireType<typeof DelegateResponse>;

/**
 * One delegation; exactly one row each. `response_preview` is at most 300 bytes; `result` is the
 * wrapped text of the answer and comes with `GET /workspaces/:id/delegations/:delegationId` only.
 */
export const DelegationRow = wire('DelegationRow', (w) =>
  w.object({
    id: w.id(),
    type: w.promised(w.oneOf(['delegation'])),
    delegation_id: w.promised(w.id()),
    source_id: w.id().nullable(),
    target_id: w.id().nullable(),
    summary: z.string().nullable().optional(),
    task: w.maybe(z.string()),
    status: w.oneOf(DELEGATION_STATUSES),
    created_at: w.timestamp(),
    updated_at: w.maybe(w.timestamp()),
    completed_at: w.timestamp().nullable().optional(),
    error: w.maybe(z.string()),
    response_preview: w.maybe(z.string()),
    result: w.maybe(z.string()),
    message_id: w.maybe(z.string()),
  }),
);
export type DelegationRow = WireType<typeof DelegationRow>;

/** Response of `GET /workspaces/:id/delegations`: at most 50, newest first. */
export const DelegationList = wire('DelegationList', (w) => z.array(w.use(DelegationRow)));
export type DelegationList = WireType<typeof DelegationList>;

/** Response of `POST /workspaces/:id/delegations/:delegationId/cancel`. */
export const CancelDelegationResponse = wire('CancelDelegationResponse', (w) =>
  w.object({ delegation_id: w.id(), status: w.oneOf(DELEGATION_STATUSES) }),
);
export type CancelDelegationResponse = WireType<typeof CancelDelegationResponse>;

/** Body of `POST /workspaces/:id/delegations/record`: a delegation that the runtime sent itself. */
export const RecordDelegationRequest = wire('RecordDelegationRequest', (w) =>
  w.object({ target_id: Uuid, task: columnText().min(1), delegation_id: columnText().min(1) }),
);
export type RecordDelegationRequest = WireType<typeof RecordDelegationRequest>;

/** Response of record, 202. */
export const RecordDelegationResponse = wire('RecordDelegationResponse', (w) =>
  w.object({ delegation_id: w.id(), status: w.oneOf(['recorded']) }),
);
export type RecordDelegationResponse = WireType<typeof RecordDelegationResponse>;

/** Body of `POST /workspaces/:id/delegations/:delegationId/update`. */
export const UpdateDelegationRequest = wire('UpdateDelegationRequest', (w) =>
  w.object({
    status: z.enum(['completed', 'failed']),
    error: w.maybe(columnText()),
    response_preview: w.maybe(columnText()),
  }),
);
export type UpdateDelegationRequest = WireType<typeof UpdateDelegationRequest>;
