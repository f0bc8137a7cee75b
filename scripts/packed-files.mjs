// What must hold for the files of a packed package: whatever they point to is in it.
import { dirname, normalize } from 'node:path/posix';
import { anchorsOf, CITATION, LINK, withoutCode } from './markdown.mjs';

const URL_OF_MAP = /^\/\/# sourceMappingURL=(\S+)$/m;

/**
 * The problems of a package, as `file: what`.
 * @param {ReadonlyMap<string, string>} files texts by their paths in the package
 */
export function problemsOf(files) {
  const problems = [];
  const check = (file, asWritten, page, anchor) => {
    const text = files.get(page);
    if (text === undefined) problems.push(`${file}: "${asWritten}" is not in the package`);
    else if (anchor !== undefined && !anchorsOf(text).has(anchor))
      problems.push(`${file}: "${asWritten}": ${page} has no such heading`);
  };
  for (const [file, text] of files) {
    if (/\.(?:js|cjs|mjs|d\.ts|d\.cts|d\.mts)$/.test(file)) {
      for (const [citation] of text.matchAll(CITATION)) check(file, citation, ...partsOf(citation));
      const map = URL_OF_MAP.exec(text)?.[1];
      if (map !== undefined) check(file, map, resolved(file, map));
    } else if (file.endsWith('.map')) {
      problems.push(...problemsOfMap(file, JSON.parse(text)));
    } else if (file.endsWith('.md')) {
      for (const [, , target = ''] of withoutCode(text).matchAll(LINK)) {
        if (/^[a-z]+:/i.test(target)) continue;
        const [path, anchor] = partsOf(target);
        check(file, target, path === '' ? file : resolved(file, path), anchor);
      }
      if (file === 'README.md')
        for (const [citation] of text.matchAll(CITATION)) check(file, citation, ...partsOf(citation));
    }
  }
  return problems;
}

function problemsOfMap(file, { sources, sourcesContent }) {
  const missing = sources.filter((_source, at) => typeof sourcesContent?.[at] !== 'string');
  return missing.map((source) => `${file}: it does not contain ${source}`);
}

function partsOf(target) {
  const [path = '', anchor] = target.split('#', 2);
  return [path, anchor];
}

function resolved(file, target) {
  return normalize(`${dirname(file)}/${target}`);
}
