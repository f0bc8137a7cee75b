/** The oldest Node that runs the platform; as in `engines` of package.json. */
const OLDEST = { major: 22, minor: 19 };

/** Why this version of Node cannot run the platform and what to do about it, or `undefined` when it can. */
export function nodeRefusal(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor)) return undefined;
  const oldest = `${OLDEST.major}.${OLDEST.minor}`;
  return `molecule-platform needs Node ${oldest} or newer and this is Node ${version}: install a newer one from https://nodejs.org, or run \`npx -p node@24 -p @molecule-ai/platform molecule-platform\`.`;
}
