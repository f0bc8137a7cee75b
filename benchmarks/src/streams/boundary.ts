import {
  createBoundaryStripper,
  createBoundaryWrapper,
  stripA2aBoundary,
  wrapA2aBoundary,
} from '@molecule-ai/protocol';
import type { Figure } from '../figure.ts';
import type { BenchmarkOptions } from '../options.ts';
import { compareThroughput, ratioOf } from '../throughput.ts';

const SENTENCE = 'The moon is 384 400 km away [on average], and moves away by 3.8 cm each year.\n';
const LENGTH = 10 * 1024 * 1024;
const TEXT = SENTENCE.repeat(Math.ceil(LENGTH / SENTENCE.length))
  .slice(0, LENGTH)
  .trimEnd();
const PIECES = [
  { name: '20 characters', length: 20 },
  { name: '4 KiB', length: 4_096 },
];

/** Compares wrapping and stripping 10 MiB in pieces, as a stream does, with the whole text at once. */
export async function benchStreamBoundary(options: BenchmarkOptions): Promise<Figure[]> {
  const whole = () => stripA2aBoundary(wrapA2aBoundary(TEXT));
  const contenders = [
    { name: 'whole', convert: whole },
    ...PIECES.map(({ name, length }) => ({ name, convert: () => convertInPieces(length) })),
  ];
  for (const { name, convert } of contenders)
    if (convert() !== TEXT) throw new Error(`${name}: another text`);
  const [atOnce, ...inPieces] = await compareThroughput(
    contenders.map(({ name, convert }) => ({
      name,
      run: async () => {
        if (convert().length !== TEXT.length) throw new Error(`${name}: another text`);
      },
    })),
    { ...options, inFlight: 1 },
  );
  if (atOnce === undefined) throw new Error('no measurement');
  const rate = (perSecond: number) => `${Math.round((perSecond * LENGTH) / 1024 / 1024)} MiB/s`;
  return inPieces.map((pieces) => ({
    name: `wrap and strip in pieces of ${pieces.name} : whole`,
    value: `${ratioOf(pieces, atOnce).toFixed(2)} (${rate(pieces.perSecond)} against ${rate(atOnce.perSecond)})`,
  }));
}

function convertInPieces(length: number): string {
  const wrapper = createBoundaryWrapper();
  const stripper = createBoundaryStripper();
  let text = '';
  for (let from = 0; from < TEXT.length; from += length) {
    text += stripper.push(wrapper.push(TEXT.slice(from, from + length)));
  }
  return text + stripper.push(wrapper.end()) + stripper.end();
}
