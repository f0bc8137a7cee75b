import * as z from 'zod';
import { columnText } from './field-limits.ts';
import { type WireType, wire } from './wire.ts';

/** Request header: which running agent of the workspace sends this. Lower case, as Node gives header names. */
export const INSTANCE_HEADER = 'x-molecule-instance';

/** Request header of one feed read: `1` takes the workspace over from another instance. */
export const TAKEOVER_HEADER = 'x-molecule-takeover';

/** Body of `POST /registry/goodbye`: this instance stops. */
export const GoodbyeRequest = wire('GoodbyeRequest', (w) =>
  w.object({ workspace_id: w.id(), instance_id: columnText().min(1).max(200) }),
);
export type GoodbyeRequest = WireType<typeof GoodbyeRequest>;

/** `workspace_status` is the workspace's status now: `offline` unless another instance of it is active. */
export const GoodbyeResponse = wire('GoodbyeResponse', (w) =>
  w.object({ status: w.oneOf(['goodbye']), workspace_status: w.promised(z.string()) }),
);
export type GoodbyeResponse = WireType<typeof GoodbyeResponse>;
