import { ConfigurationError } from '../errors/configuration-error.ts';

/** The oldest supported Node; as in `engines` of package.json. */
const OLDEST = { major: 22, minor: 19 };

/** @throws ConfigurationError if this version of Node is too old. */
export function checkNodeVersion(version = process.versions.node): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)) return;
  throw new ConfigurationError(
    `@molecule-ai/core needs Node ${OLDEST.major}.${OLDEST.minor} or newer and this is Node ${version}.`,
    { hint: 'Install a newer one from https://nodejs.org.' },
  );
}
