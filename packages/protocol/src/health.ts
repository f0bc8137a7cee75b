import * as z from 'zod';
import { type WireType, wire } from './wire.ts';

/** Response of `GET /health`: the process runs; its database is not checked. */
export const Health = wire('Health', (w) => w.object({ status: w.oneOf(['ok']) }));
export type Health = WireType<typeof Health>;

/** Response of `GET /ready`, 200; otherwise 503 with an error body. */
export const Ready = wire('Ready', (w) =>
  w.object({
    status: w.oneOf(['ready']),
    checks: w.object({ database: w.oneOf(['ok']), disk: w.maybe(w.oneOf(['ok'])) }),
  }),
);
export type Ready = WireType<typeof Ready>;

/** Response of `GET /admin/platform`: which platform this is. `data_directory` is `:memory:` for one without files. */
export const PlatformFacts = wire('PlatformFacts', (w) =>
  w.object({ data_directory: z.string(), started_at: w.timestamp() }),
);
export type PlatformFacts = WireType<typeof PlatformFacts>;

/** Response of `GET /admin/liveness`: when each background job last ran. */
export const AdminLiveness = wire('AdminLiveness', (w) =>
  w.object({
    subsystems: z.record(
      z.string(),
      w.object({ last_tick_at: w.timestamp().nullable(), seconds_ago: z.number().nullable() }),
    ),
  }),
);
export type AdminLiveness = WireType<typeof AdminLiveness>;
