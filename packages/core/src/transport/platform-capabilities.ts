import { CAPABILITIES_HEADER, type Capability, parseCapabilities } from '@molecule-ai/protocol';
import type { HttpResponse } from './http-response.ts';

const NONE: ReadonlySet<Capability> = new Set();
/** The last one that was read in this process: all agents of a platform read the same, and share it. */
let latest: { readonly text: string; readonly words: ReadonlySet<Capability> } = { text: '', words: NONE };

function wordsOf(text: string): ReadonlySet<Capability> {
  if (text !== latest.text) latest = { text, words: parseCapabilities(text) };
  return latest.words;
}

/** What the platform offers, as its latest response that said so named it. Empty for a platform that never does. */
export class PlatformCapabilities {
  words = NONE;
  /** Whether the platform responded at all: then a word that is missing is not offered. */
  isKnown = false;

  /** Whether the platform responded and did not name this word. */
  lacks(word: Capability): boolean {
    return this.isKnown && !this.words.has(word);
  }

  /** Reads the response header; responses without it, such as those of a gateway, change nothing. */
  readHeader(response: Pick<HttpResponse, 'status' | 'headers'>): void {
    if (response.status < 500) this.isKnown = true;
    const header = response.headers[CAPABILITIES_HEADER];
    if (header !== undefined) this.words = wordsOf(String(header));
  }

  /** Reads the list in the body of a register or heartbeat response; `undefined` changes nothing. */
  readList(list: readonly string[] | undefined): void {
    if (list !== undefined) this.words = wordsOf(list.join(','));
  }
}
