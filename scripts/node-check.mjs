/** A package whose `sideEffects` names this file, and its copy for CommonJS, has a check of the version of Node. */
const FILE = './dist/node-check.js';

/**
 * The program that each entry of a package runs first. It throws on a Node that is older than `engines` allows, because what is
 * imported next would fail there with an error that does not name the cause. It uses old syntax and imports nothing, and is both an ES
 * module and a script.
 *
 * Other runtimes are not checked: some have no `process`, and others report a version of Node that they imitate in part.
 * @returns {string | undefined} `undefined` for a package without the check
 */
export function nodeCheckOf({ name, engines, sideEffects }) {
  if (!Array.isArray(sideEffects) || !sideEffects.includes(FILE)) return undefined;
  const oldest = /^>=(\d+)\.(\d+)$/.exec(engines?.node ?? '');
  if (oldest === null) throw new Error(`package.json: engines.node should be >=<major>.<minor>`);
  const [, major, minor] = oldest;
  return `var versions = (globalThis.process && globalThis.process.versions) || {};
var isNode = versions.node && versions.uv && !versions.bun && !versions.deno;
var parts = isNode ? versions.node.split('.').map(Number) : [];
if (isNode && (parts[0] < ${major} || (parts[0] === ${major} && parts[1] < ${minor}))) {
  var message = '${name} needs Node ${major}.${minor} or newer and this is Node ' + versions.node + ': install a newer one from https://nodejs.org.';
  throw Object.assign(new Error(message), { code: 'configuration_invalid' });
}
`;
}
