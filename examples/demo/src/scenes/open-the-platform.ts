import { readdirSync } from 'node:fs';
import { OperatorClient } from '@molecule-ai/core/operator';
import { startPlatform } from '../stage/platform-process.ts';
import type { OpenPlay, Play } from './play.ts';

/** Starts the platform and connects to it as its operator. */
export async function openThePlatform(play: Play): Promise<OpenPlay> {
  const { stage, timeline, patience } = play;
  timeline.scene('1  A platform, in a process of its own');
  const wrapping = play.break === 'no-wrap' ? { MOLECULE_WRAP_PEER_RESULTS: 'false' } : {};
  const platform = await patience.until(
    'the platform to say where it listens',
    startPlatform(stage, { ...contractCheck(), ...wrapping }, patience.signal),
  );
  const { url: platformUrl, operatorKey, dataFolder, actor } = platform;
  timeline.line('log', 'platform', `it listens on ${platformUrl}`);
  const files = readdirSync(dataFolder).filter((file) => !file.includes('.db-') && !file.includes('.lock'));
  timeline.line('process', 'platform', `process ${actor.pid} keeps ${files.join(', ')} in ${dataFolder}`);
  return { ...play, platform, operator: new OperatorClient({ platformUrl, operatorKey }) };
}

/** In this repository's tests the platform holds each exchange against the strict wire schemas. */
function contractCheck(): Record<string, string> {
  const level = process.env.MOLECULE_CONTRACT_CHECK;
  return level === undefined ? {} : { MOLECULE_CONTRACT_CHECK: level };
}
