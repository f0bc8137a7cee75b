import * as z from 'zod';
import { columnText } from './field-limits.ts';
import { type WireType, wire } from './wire.ts';

/**
 * A workspace id: one agent identity. A UUID in any letter case when we write; any non-empty string when we
 * read, because tutorials print ids such as `ws_…`.
 */
export const WorkspaceId = wire('WorkspaceId', (w) => w.id());
export type WorkspaceId = WireType<typeof WorkspaceId>;

/** A UUID in any letter case, in both modes. For values that must be rejected when they are anything else. */
export const Uuid = z.guid();

/** An A2A `messageId`: chosen by the sender, at most 256 characters; identifies a repeat for 24 h. */
export const MessageId = columnText().min(1).max(256);

/** An idempotency key: at most 256 characters, chosen by the caller. */
export const IdempotencyKey = columnText().min(1).max(256);

/** A count: an integer of at least 0. */
export const Count = z.int().min(0);

/** Money in whole US cents. */
export const Cents = z.int().min(0);

/** The nil UUID: as a feed cursor it never exists, so reading with it shows whether a platform supports cursors. */
export const NIL_UUID = '00000000-0000-0000-0000-000000000000';

/** How messages reach a workspace: the platform posts to its URL, or it reads its activity feed. */
export const DELIVERY_MODES = ['push', 'poll'] as const;
export type DeliveryMode = (typeof DELIVERY_MODES)[number];
export const DeliveryMode = z.enum(DELIVERY_MODES);
