import { describe, expect, it } from 'vitest';
import { checkUrl } from './check-url.ts';

function reasonOf(url: string | URL, policy = {}): string {
  const check = checkUrl(url, policy);
  return check.ok ? `ok ${check.kind} ${check.host}` : check.reason;
}

describe('checkUrl with special addresses', () => {
  it.each([
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['10.0.0.1', 'private'],
    ['100.64.0.1', 'carrier_grade_nat'],
    ['100.127.255.255', 'carrier_grade_nat'],
    ['100.100.100.200', 'metadata'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.255', 'loopback'],
    ['169.254.1.1', 'link_local'],
    ['169.254.169.254', 'metadata'],
    ['172.16.0.1', 'private'],
    ['172.31.255.255', 'private'],
    ['192.0.0.1', 'reserved'],
    ['192.0.2.1', 'reserved'],
    ['192.88.99.1', 'reserved'],
    ['192.168.0.1', 'private'],
    ['198.18.0.1', 'reserved'],
    ['198.19.255.255', 'reserved'],
    ['198.51.100.1', 'reserved'],
    ['203.0.113.1', 'reserved'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'broadcast'],
    ['[::]', 'unspecified'],
    ['[::1]', 'loopback'],
    ['[0:0:0:0:0:0:0:1]', 'loopback'],
    ['[0000:0000:0000:0000:0000:0000:0000:0001]', 'loopback'],
    ['[::ffff:127.0.0.1]', 'loopback'],
    ['[::ffff:7f00:1]', 'loopback'],
    ['[::FFFF:7F00:0001]', 'loopback'],
    ['[0:0:0:0:0:ffff:10.0.0.1]', 'private'],
    ['[::127.0.0.1]', 'loopback'],
    ['[::a00:1]', 'private'],
    ['[::8.8.8.8]', 'transition'],
    ['[::ffff:0:10.0.0.1]', 'transition'],
    ['[64:ff9b::10.0.0.1]', 'transition'],
    ['[64:ff9b::8.8.8.8]', 'transition'],
    ['[64:FF9B::A00:1]', 'transition'],
    ['[64:ff9b:1::a00:1]', 'transition'],
    ['[2002:7f00:1::]', 'transition'],
    ['[2002:808:808::1]', 'transition'],
    ['[2001::1]', 'transition'],
    ['[2001:0:4136:e378:8000:63bf:3fff:fdd2]', 'transition'],
    ['[2607:f8b0::5efe:10.0.0.1]', 'transition'],
    ['[2001:2::1]', 'reserved'],
    ['[2001:10::1]', 'reserved'],
    ['[2001:20::1]', 'reserved'],
    ['[2001:db8::1]', 'reserved'],
    ['[2001:DB8:0:0:0:0:0:1]', 'reserved'],
    ['[3fff::1]', 'reserved'],
    ['[100::1]', 'reserved'],
    ['[4000::1]', 'reserved'],
    ['[5f00::1]', 'reserved'],
    ['[fc00::1]', 'private'],
    ['[fdff:ffff::1]', 'private'],
    ['[fd00:ec2::254]', 'metadata'],
    ['[fe80::1]', 'link_local'],
    ['[fec0::1]', 'reserved'],
    ['[feff::1]', 'reserved'],
    ['[ff02::1]', 'multicast'],
    ['[fe80::1%25eth0]', 'zone_id'],
    ['[fe80::1%eth0]', 'zone_id'],
    ['user@[::1%25lo]:80', 'zone_id'],
  ])('%s is refused as %s', (host, reason) => {
    expect(reasonOf(`http://${host}/a2a?x=1`)).toBe(reason);
    expect(reasonOf(`https://${host}/`)).toBe(reason);
  });

  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '172.15.255.255',
    '172.32.0.1',
    '100.63.255.255',
    '100.128.0.1',
    '11.0.0.1',
    '223.255.255.254',
  ])('%s is public', (host) => expect(reasonOf(`http://${host}:8080/`)).toBe(`ok literal ${host}`));

  it.each([
    ['[2606:4700:4700::1111]', '2606:4700:4700::1111'],
    ['[2001:4860:4860:0:0:0:0:8888]', '2001:4860:4860::8888'],
    ['[::ffff:8.8.8.8]', '::ffff:808:808'],
  ])('%s is public', (host, shown) => expect(reasonOf(`https://${host}/`)).toBe(`ok literal ${shown}`));
});

describe('checkUrl with other notations of 127.0.0.1', () => {
  it.each([
    '0177.0.0.1',
    '0x7f.0.0.1',
    '0x7f.1',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '017700000001',
    '127.0.0.1.',
    '127.1.',
    '１２７.0.0.1',
    '127。0。0。1',
    '①②⑦.0.0.1',
    '%31%32%37.0.0.1',
    '0x7F.0X0.0.01',
    '127.0.0.1:80',
    'localhost',
    'LOCALHOST',
    'localhost.',
    'agent.localhost',
    'a.b.localhost.',
    'ⓛocalhost',
    'local\u00adhost',
    'loc%61lhost',
  ])('%s is loopback', (host) => {
    expect(reasonOf(`http://${host}/`)).toBe('loopback');
    expect(reasonOf(`http:\\\\${host}/`)).toBe('loopback');
    expect(reasonOf(`  http://${host}/\n`)).toBe('loopback');
    expect(reasonOf(`http://${host}/`, { allowLoopback: true })).toMatch(/^ok /);
  });

  it('allows localhost if one of its addresses is in an allowed network', () => {
    expect(reasonOf('http://localhost:9000/', { allowedNetworks: ['127.0.0.0/8'] })).toBe(
      'ok name localhost',
    );
    expect(reasonOf('http://localhost:9000/', { allowedNetworks: ['10.0.0.0/8'] })).toBe('loopback');
  });
});

describe('checkUrl with other parts of the URL', () => {
  it.each([
    ['', 'invalid_url'],
    ['agent.example.com', 'invalid_url'],
    ['/a2a', 'invalid_url'],
    ['http://', 'invalid_url'],
    ['http://./', 'invalid_url'],
    ['http://agent.example..', 'invalid_url'],
    ['http://256.0.0.1/', 'invalid_url'],
    ['http://1.2.3.4.5/', 'invalid_url'],
    ['http://exa mple/', 'invalid_url'],
    ['http://[::1/', 'invalid_url'],
    ['http://agent.example:99999/', 'invalid_url'],
    ['ftp://agent.example/', 'unsupported_scheme'],
    ['file:///etc/passwd', 'unsupported_scheme'],
    ['javascript:alert(1)', 'unsupported_scheme'],
    ['remote://no-inbound', 'unsupported_scheme'],
    ['ws://agent.example/', 'unsupported_scheme'],
    ['http://user@agent.example/', 'credentials_in_url'],
    ['http://user:secret@agent.example/', 'credentials_in_url'],
    ['http://:secret@agent.example/', 'credentials_in_url'],
    ['http://8.8.8.8@127.0.0.1/', 'credentials_in_url'],
  ])('%j is %s', (url, reason) => expect(reasonOf(url)).toBe(reason));

  it('accepts names without resolving them', () => {
    expect(reasonOf('https://your-agent.example.com/a2a')).toBe('ok name your-agent.example.com');
    expect(reasonOf('https://does-not-exist.invalid')).toBe('ok name does-not-exist.invalid');
    expect(reasonOf(new URL('http://Bücher.example'))).toBe('ok name xn--bcher-kva.example');
    expect(reasonOf('http://localhost.example')).toBe('ok name localhost.example');
  });

  it('drops one trailing dot and keeps the rest of the URL', () => {
    const check = checkUrl('https://Agent.Example.:8443/a2a?b=1#c');
    expect(check.ok && check.url.href).toBe('https://agent.example:8443/a2a?b=1#c');
    expect(check.ok && check.host).toBe('agent.example');
  });

  it('does not change the URL object it is given', () => {
    const url = new URL('https://agent.example./');
    checkUrl(url);
    expect(url.href).toBe('https://agent.example./');
  });

  it('includes neither credentials nor query in its message', () => {
    for (const url of [
      'http://user:hunter2@agent.example/?token=t0p',
      'http://10.0.0.1/?token=t0p',
      'ftp://a:hunter2@b/?t0p',
    ]) {
      const check = checkUrl(url);
      expect(check.ok ? '' : check.message).toMatch(/\.$/);
      expect(check.ok ? '' : check.message).not.toMatch(/hunter2|t0p/);
    }
  });
});
