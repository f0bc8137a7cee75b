// Copies the code samples of the READMEs and of the pages of docs/ from the files that compile and run them:
//   <!-- sample: examples/quickstart/src/agent.ts -->      the whole file
//   <!-- sample: examples/…/main.ts#operator -->           its regions of that name, joined; in Python `# #region`
// Configurations of nginx, Caddy, systemd and containers are whole files of examples/operating. With --check it changes nothing, and
// fails when a sample differs, or a block in one of these languages has no source.
// Samples that are copied compile with noUncheckedIndexedAccess. Other code, in examples and in backticks, is not compiled: what
// reads a property of an indexed element, which may be undefined, is a problem.
import { globSync, readFileSync, writeFileSync } from 'node:fs';

const isCheck = process.argv.includes('--check');
const block =
  /(?:<!-- sample: (?<source>\S+) -->\n)?```(?<language>ts|typescript|mts|js|javascript|mjs|python|nginx|caddy|ini|dockerfile|yaml)\n(?<code>[\s\S]*?)```\n/g;
const problems = [];

for (const readme of globSync(['README.md', 'packages/*/README.md', 'docs/*.md'])) {
  const before = readFileSync(readme, 'utf8');
  const after = before.replaceAll(block, (found, source, language) => {
    if (source !== undefined)
      return `<!-- sample: ${source} -->\n\`\`\`${language}\n${sampleOf(source)}\`\`\`\n`;
    problems.push(`${readme}: a ${language} block without a <!-- sample: … --> line above it`);
    return found;
  });
  if (after === before) continue;
  if (isCheck)
    problems.push(`${readme}: a sample differs from its source; run: npx -y pnpm@12 readme:samples`);
  else writeFileSync(readme, after);
}

const uncompiled = /(?:<!-- sample: \S+ -->\n)?```(\w*)\n[\s\S]*?^```$|`[^`\n]+`/gm;
for (const page of globSync(['README.md', '{packages,examples}/*/README.md', 'docs/**/*.md'])) {
  for (const [code, language = 'ts'] of readFileSync(page, 'utf8').matchAll(uncompiled)) {
    if (code.startsWith('<!--') || !/^(?:[mc]?[jt]sx?|typescript|javascript)$/.test(language)) continue;
    const unchecked = /\w+\[\d+\]\s*!?\.\w+/.exec(code)?.[0];
    if (unchecked !== undefined) problems.push(`${page}: ${unchecked}, of an element that may be undefined`);
  }
}

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}

function sampleOf(source) {
  const [file, region] = source.split('#');
  // Two versions of an SDK are installed here under names of their own.
  const text = readFileSync(file, 'utf8').replaceAll(/'a2a-sdk-[\d.]+/g, "'@a2a-js/sdk");
  if (region === undefined) return text;
  const marked = new RegExp(
    `^ *(?://|#) #region ${region}\\n([\\s\\S]*?)^ *(?://|#) #endregion ${region}\\n`,
    'gm',
  );
  const parts = [...text.matchAll(marked)].map(([, lines]) => dedent(lines));
  if (parts.length === 0) throw new Error(`${file} has no region ${region}`);
  // A formatter that sorts imports may have moved them out.
  if (parts.some((part) => part.trim() === '')) throw new Error(`${file} has an empty region ${region}`);
  // Imports stand apart from the code.
  return parts.map((part) => (/^import [^;]*;\n$/.test(part) ? `${part}\n` : part)).join('');
}

function dedent(lines) {
  const indents = [...lines.matchAll(/^( *)\S/gm)].map(([, spaces]) => spaces.length);
  return lines.replaceAll(new RegExp(`^ {${Math.min(...indents)}}`, 'gm'), '');
}
