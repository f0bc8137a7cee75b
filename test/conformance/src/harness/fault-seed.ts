import { type RandomSource, seededRandom } from '../endurance/plan.ts';

/** Another one in each run, unless `FAULT_SEED` repeats an earlier run. Tests name it in their titles. */
export const FAULT_SEED = Number(process.env.FAULT_SEED ?? Math.floor(Math.random() * 1_000_000));

/** A whole number from 1 to `highest`. */
export function upTo(random: RandomSource, highest: number): number {
  return 1 + Math.floor(random() * highest);
}

/** The random numbers of one test. */
export function faultRandom(test: string): RandomSource {
  return seededRandom([...test].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), FAULT_SEED));
}
