import { checkUrl, createGuardedAgent } from '@molecule-ai/net-guard';
import { request } from 'undici';

for (const url of ['https://example.com/', 'http://169.254.169.254/latest/', 'http://0x7f.1/']) {
  const check = checkUrl(url);
  console.log(url, check.ok ? 'passes' : check.reason);
}

// A name that passes may still resolve to an internal address: the guarded agent decides that when it connects.
const dispatcher = createGuardedAgent();
await request('http://localhost:8080/', { dispatcher }).catch((error) => console.log(error.message));
await dispatcher.close();
