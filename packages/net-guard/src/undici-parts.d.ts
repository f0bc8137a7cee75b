/** Files of undici with the types of its main module, which takes three times as long to load. */
declare module 'undici/lib/api/index.js' {
  import type { Dispatcher } from 'undici';

  /** The methods that undici's main module adds to every dispatcher. */
  const api: Pick<Dispatcher, 'connect' | 'pipeline' | 'request' | 'stream' | 'upgrade'>;
  export default api;
}

declare module 'undici/lib/core/connect.js' {
  import { buildConnector } from 'undici';
  export default buildConnector;
}

declare module 'undici/lib/core/errors.js' {
  import { errors } from 'undici';
  export default errors;
}

declare module 'undici/lib/dispatcher/agent.js' {
  import { Agent } from 'undici';
  export default Agent;
}
