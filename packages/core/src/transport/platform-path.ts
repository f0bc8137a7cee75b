import { MoleculeError } from '../errors/molecule-error.ts';

/**
 * Builds a path; every inserted part is encoded, so an id cannot leave its place.
 *
 * @example platformPath`/workspaces/${id}/a2a`
 * @throws MoleculeError `invalid_argument` for an empty part, `.`, `..` or text that is not valid Unicode.
 */
export function platformPath(fixed: TemplateStringsArray, ...parts: readonly string[]): string {
  let path = fixed[0] ?? '';
  for (let index = 0; index < parts.length; index += 1) {
    path += encodePart(parts[index]) + (fixed[index + 1] ?? '');
  }
  return path;
}

/** `?key=value` of the entries that are set, or `''`. */
export function queryOf(entries: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(entries)) {
    if (value !== undefined) query.set(key, String(value));
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

function encodePart(part: string | undefined): string {
  if (typeof part === 'string' && part !== '' && part !== '.' && part !== '..') {
    try {
      return encodeURIComponent(part);
    } catch {
      // A lone surrogate; reported below.
    }
  }
  throw new MoleculeError(`An id must be a non-empty text, got ${JSON.stringify(part)}.`, {
    code: 'invalid_argument',
  });
}
