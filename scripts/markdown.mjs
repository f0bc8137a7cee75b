/** A page of docs/ that a comment, a message or a document cites by its path, with the heading if there is one. */
export const CITATION = /(?<![\w./-])docs\/(?:[\w.-]+\/)*[\w.-]+\.md(?:#[\w-]*)?/g;
/** A link; its text and its target. */
export const LINK = /\[((?:[^[\]]|\[[^[\]]*\])*)\]\(([^()\s]*)\)/g;
const FENCED_BLOCK = /^```[^\n]*\n[\s\S]*?^```/gm;

/** Replaces fenced blocks by blanks, so that they contain no headings and links; positions stay the same. */
export function withoutCode(markdown) {
  return markdown.replace(FENCED_BLOCK, (block) => block.replace(/[^\n]/g, ' '));
}

/** Changes what is outside of fenced blocks. */
export function mapText(markdown, change) {
  const blocks = markdown.match(FENCED_BLOCK) ?? [];
  return markdown
    .split(FENCED_BLOCK)
    .map((text, at) => `${change(text)}${blocks[at] ?? ''}`)
    .join('');
}

/** The anchors of a Markdown page, as GitHub generates them. */
export function anchorsOf(markdown) {
  const anchors = new Set();
  for (const [, heading = ''] of withoutCode(markdown).matchAll(/^#{1,6}[ \t]+(.+?)[ \t]*#*$/gm)) {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
      .trim()
      .replaceAll(' ', '-');
    let anchor = slug;
    for (let repeat = 1; anchors.has(anchor); repeat += 1) anchor = `${slug}-${repeat}`;
    anchors.add(anchor);
  }
  return anchors;
}
