import { z } from 'zod';
import { type WireType, wire } from './wire.ts';

/** Body of `POST /session`: the operator key, exchanged for an HttpOnly cookie (decision 8). */
export const CreateSessionRequest = wire('CreateSessionRequest', (w) =>
  w.object({ operator_key: z.string().min(1) }),
);
export type CreateSessionRequest = WireType<typeof CreateSessionRequest>;

/** Answer of creating and of ending a session. */
export const SessionAnswer = wire('SessionAnswer', (w) => w.object({ status: w.oneOf(['ok']) }));
export type SessionAnswer = WireType<typeof SessionAnswer>;
