import { createPlatform } from '@molecule-ai/platform';

const platform = await createPlatform({ mode: 'dev', port: 0, memory: true });
console.log(platform.url);
await platform.close();
