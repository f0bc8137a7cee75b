import { z } from 'zod';
import { Cents } from './ids.ts';
import { type WireType, wire } from './wire.ts';

/** Answer of both budget routes, in US cents; `budget_remaining` may be negative, null means no limit. */
export const Budget = wire('Budget', (w) =>
  w.object({
    budget_limit: Cents.nullable(),
    monthly_spend: Cents,
    budget_remaining: z.int().nullable(),
  }),
);
export type Budget = WireType<typeof Budget>;

/** Body of `PATCH /workspaces/:id/budget`; the key is mandatory, null removes the limit. */
export const SetBudgetRequest = wire('SetBudgetRequest', (w) => w.object({ budget_limit: Cents.nullable() }));
export type SetBudgetRequest = WireType<typeof SetBudgetRequest>;
