import { type RandomSource, seededRandom } from '../endurance/plan.ts';

/** The same in each run; `FAULT_SEED` tries another one. */
export const FAULT_SEED = Number(process.env.FAULT_SEED ?? 1);

/** A whole number from 1 to `highest`. */
export function upTo(random: RandomSource, highest: number): number {
  return 1 + Math.floor(random() * highest);
}

/** The random numbers of one test. */
export function faultRandom(test: string): RandomSource {
  return seededRandom([...test].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), FAULT_SEED));
}
