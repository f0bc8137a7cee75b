// The pages that are packed with a package, and their links: a user has the package and not the repository.
import { dirname, normalize, relative } from 'node:path/posix';
import { CITATION, LINK, mapText } from './markdown.mjs';

/** Their users may have no other package of ours, so they get all pages. Those of the others name core for what they do not have. */
const WITH_ALL_PAGES = new Set(['@molecule-ai/core', '@molecule-ai/platform']);
const SCOPE = '@molecule-ai/';
/** The sentence of a README on how to get packages that are not published. Whoever reads a packed README has them. */
const UNPUBLISHED = /While the packages are not published, \[[^\]]*\]\([^)]*\)\. /g;

/**
 * The README and the pages of a package as they are packed, by their paths in the package.
 * @param {object} of
 * @param {string} of.folder of the package, from the root of the repository: `packages/core`
 * @param {string} of.name
 * @param {readonly string[]} of.code texts of the built files, whose comments and messages cite pages
 * @param {readonly string[]} of.pages paths of all pages, from the root of the repository
 * @param {(path: string) => string} of.read reads a file by its path from the root of the repository
 * @returns {Map<string, string>}
 */
export function packedDocs({ folder, name, code, pages, read }) {
  const readme = `${folder}/README.md`;
  const cited = new Set([
    ...[read(readme), ...code].flatMap((text) => (text.match(CITATION) ?? []).map(withoutAnchor)),
    ...[...read(readme).matchAll(LINK)].map(([, , target]) => resolved(readme, withoutAnchor(target))),
  ]);
  const own = pages.filter((page) => WITH_ALL_PAGES.has(name) || cited.has(page));
  const packed = new Map([[readme, 'README.md'], ...own.map((page) => [page, page])]);
  return new Map(
    [...packed].map(([file, path]) => [path, withPackedLinks(read(file), { file, path, folder, packed })]),
  );
}

/** The text with links that lead to packed files; other links become text with the name of the place. */
function withPackedLinks(markdown, { file, path, folder, packed }) {
  return mapText(markdown, (text) =>
    text
      .replace(/^<!-- sample: .* -->\n/gm, '')
      .replace(UNPUBLISHED, '')
      .replace(LINK, (link, label, target) => {
        if (target === '' || target.startsWith('#') || /^[a-z]+:/i.test(target)) return link;
        const [, page = '', anchor = ''] = /^([^#]*)(#.*)?$/.exec(target) ?? [];
        const place = resolved(file, page);
        const known = packed.get(place === folder ? `${folder}/README.md` : place);
        if (known === undefined) return `${label}${placeOf(place, label)}`;
        return `[${label}](${relative(dirname(path), known)}${anchor === '#readme' ? '' : anchor})`;
      }),
  );
}

/** Where a reader finds what is not packed; empty when the text of the link is enough. */
function placeOf(place, label) {
  const [top, name, ...rest] = place.split('/');
  const isReadme = top === 'packages' && (rest.length === 0 || rest.join('/') === 'README.md');
  if (isReadme) return label.includes(SCOPE + name) ? '' : ` (README of \`${SCOPE}${name}\`)`;
  if (top === 'docs') return ` (\`${place}\` in \`${SCOPE}core\`)`;
  const shown = label.replaceAll('`', '');
  return shown === place ? ' in the repository' : ` (\`${place}\` in the repository)`;
}

function resolved(file, target) {
  return normalize(`${dirname(file)}/${target}`).replace(/\/$/, '');
}

function withoutAnchor(target) {
  return target.split('#', 1)[0] ?? '';
}
