export const REDACTED = '[redacted]';
/** Shorter values are words of ordinary texts too often. */
export const MIN_KNOWN_LENGTH = 16;

/** Words that follow "bearer" in prose are not credentials. */
const BEARER =
  /\b(bearer|basic)\s+(?!(?:tokens?|auth(?:entication|orization)?|credentials?)(?:[\s,;:!?)"']|\.\s|\.?$))[\w.~+/=-]{4,}/gi;
/** A position in a file of code, as in a frame of a stack, is not a value: `token.guard.js:12:34`. */
const KEYED =
  /((?:token|secret|password|passwd|authorization|api[_-]?key|cookie)[\w.-]{0,40}["']?\s{0,4}[:=](?!(?<=\.[cm]?[jt]sx?:)\d{1,7}(?::\d{1,7})?(?:[)\s]|$))\s{0,4})("(?:[^"\\]|\\.){0,8192}"?|'[^']{0,8192}'?|[^\s,;&"'{}[\]]{4,8192})/gi;
const URL_CREDENTIALS = /(\b[a-z][a-z0-9+.-]{0,15}:\/\/)[^\s/?#@]{1,512}@/gi;
const JWT = /(?<![\w-])eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*/g;
const PLATFORM_TOKEN = /(?<![\w-])[\w-]{43}(?![\w-])/g;

/**
 * Replaces credentials in a text by `[redacted]`: bearer values, values of keys that name a token, secret or password,
 * user info in URLs, JWTs, 43-character platform tokens, and
 * every string of `known` of at least 16 characters that is not a part of a longer word.
 */
export function redactSecrets(text: string, known: Iterable<string> = []): string {
  let clean = text;
  for (const secret of known) {
    if (secret.length >= MIN_KNOWN_LENGTH && clean.includes(secret)) clean = withoutWord(clean, secret);
  }
  return clean
    .replace(BEARER, `$1 ${REDACTED}`)
    .replace(KEYED, `$1"${REDACTED}"`)
    .replace(URL_CREDENTIALS, `$1${REDACTED}@`)
    .replace(JWT, REDACTED)
    .replace(PLATFORM_TOKEN, REDACTED);
}

const WORD_CHARACTER = /[\w-]/;
/** Its last letter does not belong to the word that follows. */
const ESCAPE = /(?:\\[bfnrt]|\\u[\da-f]{4}|%[\da-f]{2})$/i;

/** Replaces `word` where it is not a part of a longer one. */
function withoutWord(text: string, word: string): string {
  let clean = '';
  let copied = 0;
  for (let at = text.indexOf(word); at >= 0; ) {
    const end = at + word.length;
    const startsHere =
      !WORD_CHARACTER.test(text.charAt(at - 1)) || ESCAPE.test(text.slice(Math.max(0, at - 6), at));
    const isWhole = startsHere && !WORD_CHARACTER.test(text.charAt(end));
    if (isWhole) {
      clean += text.slice(copied, at) + REDACTED;
      copied = end;
    }
    at = text.indexOf(word, isWhole ? end : at + 1);
  }
  return clean + text.slice(copied);
}
