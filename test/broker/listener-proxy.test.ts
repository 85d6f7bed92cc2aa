import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Listening } from './listening';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const header = (commandAndFamily: string, addresses: string) =>
  Buffer.from(
    `${SIGNATURE}${commandAndFamily}${(addresses.length / 2).toString(16).padStart(4, '0')}${addresses}`,
    'hex',
  );
// From 192.0.2.7:4660 and [2001:db8::7]:4660, both to port 1883.
const ipv4 = header('2111', 'c0000207c00002011234075b');
const ipv6 = header('2121', `20010db8${'00'.repeat(11)}07${'00'.repeat(16)}1234075b`);
const local = header('2000', '');

describe('a listener behind a proxy', () => {
  let listening: Listening;

  const start = async (proxies = ['127.0.0.0/8'], connectTimeout = 10_000) => {
    listening = await Listening.open({ proxies }, { connectTimeout });
  };
  afterEach(() => listening?.close());

  for (const [name, bytes, address] of [
    ['an IPv4 client', ipv4, '192.0.2.7:4660'],
    ['an IPv6 client', ipv6, '[2001:db8::7]:4660'],
    [
      'a client, with more than its addresses',
      header('2111', 'c0000207c00002011234075b030004a9b1c2d3'),
      '192.0.2.7:4660',
    ],
  ] as const) {
    it(`takes the word of a listed proxy for ${name}`, async () => {
      await start();
      const served = listening.served();
      const socket = await listening.socket();
      socket.write(Buffer.concat([bytes, Buffer.from('and MQTT')]));
      const { stream, peer } = await served;
      assert.equal(peer.address, address);
      assert.deepEqual(listening.admitted, [peer]);
      assert.equal(String((await once(stream, 'data'))[0]), 'and MQTT');
      stream.write('answer');
      assert.equal(String((await once(socket, 'data'))[0]), 'answer');
    });
  }

  it('reads a header that comes byte by byte', async () => {
    await start();
    const served = listening.served();
    const socket = await listening.socket();
    for (const byte of ipv6) await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
    assert.equal((await served).peer.address, '[2001:db8::7]:4660');
  });

  it('takes a proxy that speaks for itself as the client', async () => {
    await start();
    const served = listening.served();
    const socket = await listening.socket();
    socket.write(local);
    assert.equal((await served).peer.address, `127.0.0.1:${socket.localPort}`);
  });

  it('refuses who is not listed', async () => {
    await start(['192.0.2.1']);
    const refusal = listening.refusal();
    const socket = await listening.socket();
    const closed = once(socket, 'close');
    socket.resume().write(ipv4);
    assert.match(await refusal, /127\.0\.0\.1 is not one of the listener's proxies/);
    await closed;
    assert.deepEqual(listening.admitted, []);
  });

  for (const [name, bytes, reason] of [
    ['MQTT without a header', Buffer.from('100c00044d5154540402003c0000', 'hex'), /closed before the end/],
    ['something else', Buffer.from('PROXY TCP4 192.0.2.7 192.0.2.1 4660 1883\r\n'), /no PROXY protocol v2/],
    [
      'another version',
      Buffer.concat([Buffer.from(SIGNATURE, 'hex'), Buffer.from('31110000', 'hex')]),
      /0x31/,
    ],
    ['a length beyond the limit', Buffer.from(`${SIGNATURE}2111ffff`, 'hex'), /65535 bytes is longer/],
    ['too few bytes for an address', header('2111', 'c0000207'), /family 0x11 with 4 bytes/],
    ['a Unix socket', header('2131', '00'.repeat(216)), /family 0x31/],
    ['half a header', ipv6.subarray(0, 30), /closed before the end/],
  ] as const) {
    it(`refuses ${name} and goes on`, async () => {
      await start();
      const refusal = listening.refusal();
      const stranger = await listening.socket();
      stranger.resume();
      stranger.end(bytes);
      assert.match(await refusal, reason);
      const served = listening.served();
      (await listening.socket()).write(ipv4);
      await served;
    });
  }

  it('does not wait for ever', async () => {
    await start(['127.0.0.1'], 50);
    const refusal = listening.refusal();
    const socket = await listening.socket();
    const closed = once(socket, 'close');
    socket.resume().write(ipv4.subarray(0, 20));
    assert.match(await refusal, /too slow/);
    await closed;
  });

  it('must know its proxies by address', async () => {
    for (const proxy of ['proxy.example', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '']) {
      await assert.rejects(
        Listening.open({ proxies: [proxy] }),
        /proxy ".*" is no address or network/,
        proxy,
      );
    }
  });
});
