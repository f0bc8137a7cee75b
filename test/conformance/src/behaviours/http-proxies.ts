import { behaviours } from './behaviour.ts';

const DECISION = 'docs/decisions/0124-http-proxies.md';

/** Clients whose requests to the platform pass an HTTP proxy. */
export const HTTP_PROXIES = behaviours({
  'client.proxy.from-environment': [
    'Requests to the platform pass the proxy of HTTPS_PROXY or HTTP_PROXY, lower case first, unless NO_PROXY names the host or the platform is on this machine.',
    DECISION,
  ],
  'client.proxy.option': [
    'The option proxy names the proxy of any platform, and false none; with an own dispatcher no proxy is used.',
    DECISION,
  ],
  'client.proxy.wrong-setting': [
    'A variable or option that names no HTTP proxy is a ConfigurationError with its name, without its value.',
    DECISION,
  ],
  'client.proxy.tunnels': [
    'A proxy gets CONNECT and nothing else, also for an http platform; with https it does not see the bearer.',
    DECISION,
  ],
  'client.proxy.credentials': [
    'User name and password of the proxy are sent to the proxy only; no log, error or inspected client has them.',
    DECISION,
  ],
  'client.proxy.errors': [
    'A failure of the proxy is connection_failed, not delivered, with the setting, host and port of the proxy; it is retried unless the proxy asks for credentials.',
    DECISION,
  ],
  'client.proxy.shared': [
    'Clients with the same proxy share connections; other credentials have connections of their own.',
    DECISION,
  ],
  'client.proxy.agent': [
    'An agent behind a proxy long-polls, answers and streams, and goes on after the proxy was away.',
    DECISION,
  ],
  'client.proxy.heartbeat-worker': [
    'Heartbeats of the worker thread pass the proxy, also while the event loop is blocked.',
    DECISION,
  ],
  'client.proxy.direct-calls': [
    'Direct calls do not pass the proxy; where no peer can be reached directly they go through the platform.',
    DECISION,
  ],
});
