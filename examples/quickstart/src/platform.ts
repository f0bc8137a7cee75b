import { createPlatform } from '@molecule-ai/platform';

const platform = await createPlatform({ mode: 'dev', server: { port: 0 }, data: { directory: ':memory:' } });
console.log(platform.url);
await platform.close();
