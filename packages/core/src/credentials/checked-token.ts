import { MoleculeError } from '../errors/molecule-error.ts';

const TOKEN = /^[\x21-\x7e]+$/;

/** The token without surrounding white space; one that cannot stand in a header is refused. Never shows it. */
export function checkToken(token: unknown): string {
  const text = typeof token === 'string' ? token.trim() : '';
  if (text === '') {
    throw new MoleculeError('A token must be a text that is not blank.', { code: 'invalid_argument' });
  }
  if (!TOKEN.test(text)) {
    throw new MoleculeError('A token must be printable ASCII without white space.', {
      code: 'invalid_argument',
    });
  }
  return text;
}
