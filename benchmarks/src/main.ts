#!/usr/bin/env node
import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { benchAdapters } from './adapters.ts';
import { benchCallPeer } from './call-peer.ts';
import { benchDataCall } from './data-call.ts';
import { benchDirectCall } from './direct-call.ts';
import { benchFeedRead } from './feed-read.ts';
import { type Figure, formatFigures } from './figure.ts';
import { benchIdleCost } from './idle-cost.ts';
import { benchInboundLatency } from './inbound-latency.ts';
import { benchManyAgents } from './many-agents.ts';
import { benchMemory } from './memory.ts';
import { LARGE, QUICK, USUAL } from './options.ts';
import { benchProxiedCall } from './proxied-call.ts';
import { benchPushServer } from './push-server.ts';
import { benchSimulatedDay } from './simulated-day.ts';
import { benchSize } from './size.ts';
import { benchStartUp } from './start-up.ts';
import { benchStreams } from './streams.ts';

const benchmarks = {
  size: benchSize,
  'start-up': benchStartUp,
  'call-peer': benchCallPeer,
  'data-call': benchDataCall,
  'direct-call': benchDirectCall,
  'push-server': benchPushServer,
  'proxied-call': benchProxiedCall,
  'inbound-latency': benchInboundLatency,
  'feed-read': benchFeedRead,
  'idle-cost': benchIdleCost,
  memory: benchMemory,
  'many-agents': benchManyAgents,
  streams: benchStreams,
  'simulated-day': benchSimulatedDay,
  adapters: benchAdapters,
};
const names = Object.keys(benchmarks) as (keyof typeof benchmarks)[];

const program = new Command('bench')
  .description('Measures the SDK and the platform side by side with a minimal baseline, and prints ratios.')
  .addOption(new Option('--only <name...>', 'run only these benchmarks').choices(names))
  .option('--quick', 'short rounds: only checks that everything runs; the figures are not meaningful')
  .addOption(new Option('--full', 'the largest sizes: 4 000 agents in a process').conflicts('quick'))
  .option('--json', 'print the figures as JSON')
  .parse();
const options = program.opts<{
  only?: (keyof typeof benchmarks)[];
  quick?: boolean;
  full?: boolean;
  json?: boolean;
}>();

const sizes = options.quick === true ? QUICK : options.full === true ? LARGE : USUAL;
const figures: Figure[] = [];
for (const name of options.only ?? names) {
  if (options.json !== true) console.error(`measuring ${name} …`);
  figures.push(...(await benchmarks[name](sizes)));
}
if (options.json === true) {
  console.log(JSON.stringify({ node: process.version, cores: availableParallelism(), figures }, null, 2));
} else {
  console.log(`Node ${process.version}, ${availableParallelism()} cores`);
  console.log(formatFigures(figures));
}
