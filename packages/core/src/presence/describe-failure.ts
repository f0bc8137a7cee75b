const MAX_LENGTH = 120;
const PLAIN_WORD = /^[\w.-]{1,60}$/;

/** Name and code of an error, such as `ApiError access_denied`. Never its message, which can quote a peer. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'Error';
  const words = [error.name, Reflect.get(error, 'code')].filter(isPlainWord);
  return words.length === 0 ? 'Error' : words.join(' ').slice(0, MAX_LENGTH);
}

function isPlainWord(value: unknown): value is string {
  return typeof value === 'string' && PLAIN_WORD.test(value);
}
