/** Whether something is an error, also one of another realm: under Jest, those of Node are. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
}
