const REDACTED = '[redacted]';

/** Words that follow "bearer" in prose are not credentials. */
const BEARER =
  /\b(bearer|basic)\s+(?!(?:tokens?|auth(?:entication|orization)?|credentials?)(?:[\s,;:!?)"']|\.\s|\.?$))[\w.~+/=-]{4,}/gi;
const KEYED =
  /((?:token|secret|password|passwd|authorization|api[_-]?key|cookie)[\w.-]{0,40}["']?\s{0,4}[:=]\s{0,4})("(?:[^"\\]|\\.){0,8192}"?|'[^']{0,8192}'?|[^\s,;&"'{}[\]]{4,8192})/gi;
const URL_CREDENTIALS = /(\b[a-z][a-z0-9+.-]{0,15}:\/\/)[^\s/?#@]{1,512}@/gi;
const JWT = /(?<![\w-])eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*/g;
const PLATFORM_TOKEN = /(?<![\w-])[\w-]{43}(?![\w-])/g;

/**
 * Replaces credentials in a text by `[redacted]`: bearer values, values of keys that name a token, secret or password,
 * user info in URLs, JWTs, 43-character platform tokens, and every string of `known`. Nothing of a secret remains.
 */
export function redactSecrets(text: string, known: Iterable<string> = []): string {
  let clean = text;
  for (const secret of known) if (secret.length >= 4) clean = clean.replaceAll(secret, REDACTED);
  return clean
    .replace(BEARER, `$1 ${REDACTED}`)
    .replace(KEYED, `$1"${REDACTED}"`)
    .replace(URL_CREDENTIALS, `$1${REDACTED}@`)
    .replace(JWT, REDACTED)
    .replace(PLATFORM_TOKEN, REDACTED);
}
