import { AIMessage, AIMessageChunk } from '@langchain/core/messages';
import { RunnableLambda } from '@langchain/core/runnables';
import { FakeListChatModel, FakeStreamingChatModel } from '@langchain/core/utils/testing';
import { fencePeerText, plainPeerText, wrapA2aBoundary } from '@molecule-ai/core';
import { describe, expect, it } from 'vitest';
import { StripBoundaryOutputParser } from './peers-middleware.ts';

const parser = new StripBoundaryOutputParser();
const SAID = `The lab said ${wrapA2aBoundary('990 of 1000 pass')}, so we can ship.`;
const CLEAN = 'The lab said 990 of 1000 pass, so we can ship.';

async function collected(stream: AsyncIterable<string>): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

describe('StripBoundaryOutputParser', () => {
  it('takes the markers out of strings, messages and blocks of text, and keeps the words around them', async () => {
    expect(await parser.parse(SAID)).toBe(CLEAN);
    expect(await parser.invoke(SAID)).toBe(CLEAN);
    expect(await parser.invoke(new AIMessage(SAID))).toBe(CLEAN);
    const blocks = [
      { type: 'reasoning', reasoning: 'not said' },
      { type: 'text', text: SAID.slice(0, 20) },
      { type: 'image_url', image_url: 'https://example.org/a.png' },
      { type: 'text', text: SAID.slice(20) },
    ];
    expect(await parser.invoke(new AIMessage({ content: blocks }))).toBe(CLEAN);
    expect(await parser.invoke('')).toBe('');
    expect(await parser.invoke(fencePeerText('990', { origin: 'unknown' }))).toBe('990');
  });

  it('ends a chain, in one piece and in many', async () => {
    const model = new FakeListChatModel({ responses: [SAID, SAID] });
    const chain = RunnableLambda.from((text: string) => text)
      .pipe(model)
      .pipe(parser);
    expect(await chain.invoke('Can we ship?')).toBe(CLEAN);
    const pieces = await collected(await chain.stream('Can we ship?'));
    expect(pieces.join('')).toBe(CLEAN);
    expect(pieces.length).toBeGreaterThan(20);
    expect(pieces[0]).toBe('T');
  });

  it('gives the same for each place where a stream is cut', async () => {
    for (let at = 0; at <= SAID.length; at += 1) {
      const chunks = [SAID.slice(0, at), SAID.slice(at)].map((content) => new AIMessageChunk({ content }));
      const chain = new FakeStreamingChatModel({ chunks }).pipe(parser);
      expect((await collected(await chain.stream('')))?.join('')).toBe(CLEAN);
    }
  });

  it('gives an empty text for an output without text', async () => {
    const chain = new FakeStreamingChatModel({ chunks: [new AIMessageChunk({ content: [] })] }).pipe(parser);
    expect(await collected(await chain.stream(''))).toEqual(['']);
  });

  it('has a name for traces and for serialisation', () => {
    expect(parser.getName()).toBe('StripBoundaryOutputParser');
    expect(parser.toJSON()).toMatchObject({
      type: 'constructor',
      id: ['molecule_ai', 'langchain', 'output_parsers', 'StripBoundaryOutputParser'],
    });
    expect(plainPeerText(SAID)).toBe(CLEAN);
  });
});
