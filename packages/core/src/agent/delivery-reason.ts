const SERVED_THERE = 'Check reportedUrl, and what a proxy in front of the agent does with its path.';

/** What to do, by the reason why messages are not pushed: of docs/contract/receiving.md#why-it-is-not-push. */
const HINTS: Readonly<Record<string, string>> = {
  not_offered:
    'This platform does not probe. If it pushes, set delivery to "push"; else leave reportedUrl out.',
  probe_refused: 'The platform refused to probe: its error is in the debug log.',
  inbound_auth:
    'A probe needs inboundAuth "peer-tokens". Where the platform signs no tokens, set delivery to "push", or leave reportedUrl out.',
  refused_address:
    'The platform connects to no such address: reportedUrl must be a public one, or the platform must allow its network.',
  name_not_found: 'The host name of reportedUrl does not resolve where the platform runs: correct it.',
  connection_refused:
    'Nothing listens there: start the server of the agent, and check host and port of reportedUrl.',
  connection_failed:
    'The connection broke: check that reportedUrl names http or https as the server speaks it.',
  tls_failed:
    'The platform does not trust the certificate, or the server speaks http only: check it and the scheme of reportedUrl.',
  timeout: 'No response in 8 s: check the address in reportedUrl, and firewalls.',
  wrong_status: `The response there is not 200. ${SERVED_THERE}`,
  no_probe_header: `What responds there is not this agent, but another one or another server. ${SERVED_THERE}`,
  wrong_probe_header: `Another agent responds there. ${SERVED_THERE}`,
  clock_skew: 'The clock of this machine is wrong: set it.',
};

export function deliveryHint(reason: string): string {
  return HINTS[reason] ?? SERVED_THERE;
}
