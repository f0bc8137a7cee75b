/** What schemas need that contain those of this package. Whoever imports it from here loads no second zod. */
export type * from 'zod';
export {
  array,
  boolean,
  custom,
  enum,
  int,
  literal,
  NEVER,
  number,
  object,
  record,
  strictObject,
  string,
  toJSONSchema,
  union,
  ZodObject,
} from 'zod';
