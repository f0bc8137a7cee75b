import type { IncomingHttpHeaders } from 'node:http';
import { describe, expect, it } from 'vitest';
import { isDevOperator } from './callers.ts';

const PORT = 8080;
const LOCAL = { remoteAddress: '127.0.0.1', httpVersion: '1.1', port: PORT };
const decide = (headers: IncomingHttpHeaders, remoteAddress: string | undefined = '127.0.0.1') =>
  isDevOperator({ ...LOCAL, remoteAddress, headers: { host: `localhost:${PORT}`, ...headers } });

describe('the operator of dev mode', () => {
  it('is a request from this machine without a credential', () => {
    expect(decide({})).toBe(true);
    expect(decide({}, '::1')).toBe(true);
    expect(decide({}, '::ffff:127.0.0.1')).toBe(true);
    expect(decide({ host: '127.0.0.1:8080' })).toBe(true);
    expect(decide({ host: '[::1]:8080' })).toBe(true);
    expect(decide({ host: 'LocalHost:8080' })).toBe(true);
  });

  it('is not a request with any credential', () => {
    expect(decide({ authorization: 'Bearer x' })).toBe(false);
    expect(decide({ authorization: '' })).toBe(false);
  });

  it('is not a request from another machine', () => {
    expect(decide({}, '192.168.1.7')).toBe(false);
    expect(decide({}, '::ffff:10.0.0.1')).toBe(false);
    const headers = { host: 'localhost:8080' };
    expect(isDevOperator({ ...LOCAL, headers })).toBe(true);
    expect(isDevOperator({ ...LOCAL, remoteAddress: undefined, headers })).toBe(false);
  });

  it('is not a request to another name, as after DNS rebinding', () => {
    for (const host of [
      'evil.example.com',
      'evil.example.com:8080',
      'localhost',
      'localhost:80',
      'localhost.evil.com:8080',
      '',
    ]) {
      expect(decide({ host }), host).toBe(false);
    }
  });

  it('is not a request through a tunnel or a proxy, but may have the headers of clients', () => {
    const proxies = `forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded x-real-ip x-client-ip
      x-cluster-client-ip true-client-ip x-original-host x-envoy-external-address via cdn-loop cf-ray cf-connecting-ip
      fly-client-ip fastly-client-ip x-azure-clientip ngrok-skip-browser-warning tailscale-user-login`;
    const clients = 'x-request-id traceparent x-timeout x-molecule-org-id accept-encoding';
    for (const name of proxies.split(/\s+/)) expect(decide({ [name]: 'x' }), name).toBe(false);
    for (const name of clients.split(' ')) expect(decide({ [name]: 'x' }), name).toBe(true);
  });

  it('is not a request of HTTP/1.0, as nginx sends it', () => {
    const headers = { host: `127.0.0.1:${PORT}` };
    expect(isDevOperator({ ...LOCAL, headers })).toBe(true);
    expect(isDevOperator({ ...LOCAL, httpVersion: '1.0', headers })).toBe(false);
  });

  it('is not a request with a caller header', () => {
    expect(decide({ 'x-workspace-id': 'a' })).toBe(false);
    expect(decide({ 'x-source-workspace-id': 'a' })).toBe(false);
  });

  it('is not a request from a page of another site', () => {
    expect(decide({ 'sec-fetch-site': 'none' })).toBe(true);
    expect(decide({ 'sec-fetch-site': 'same-origin' })).toBe(true);
    expect(decide({ 'sec-fetch-site': 'same-site' })).toBe(false);
    expect(decide({ 'sec-fetch-site': 'cross-site' })).toBe(false);
    expect(decide({ origin: 'http://localhost:8080' })).toBe(true);
    expect(decide({ origin: 'http://127.0.0.1:8080' })).toBe(true);
    expect(decide({ origin: 'http://localhost:3000' })).toBe(false);
    expect(decide({ origin: 'https://evil.example.com' })).toBe(false);
    expect(decide({ origin: 'null' })).toBe(false);
    expect(decide({ origin: 'http://localhost:8080', 'sec-fetch-site': 'cross-site' })).toBe(false);
  });

  it('ignores free text in Origin', () => {
    expect(decide({ origin: 'my-agent/1.0' })).toBe(true);
  });
});
