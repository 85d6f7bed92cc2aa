import assert from 'node:assert/strict';
import { Tickets } from '../../src/gateway/tickets';

describe('tickets of WebSockets', () => {
  let now: number;
  let tickets: Tickets;

  beforeEach(() => {
    now = 1_000_000;
    tickets = new Tickets(() => now);
  });

  it('are good for 30 s', () => {
    const [used, late] = [tickets.issue('a'), tickets.issue('a')];
    assert.equal(used.expiresAt.getTime(), now + 30_000);
    now += 29_999;
    assert.equal(tickets.redeem(used.ticket, 'a'), true);
    now += 1;
    assert.equal(tickets.redeem(late.ticket, 'a'), false);
  });

  it('are good once, and not again after they were tried for something else', () => {
    const [used, tried] = [tickets.issue('a'), tickets.issue('a')];
    assert.equal(tickets.redeem(used.ticket, 'a'), true);
    assert.equal(tickets.redeem(used.ticket, 'a'), false);
    assert.equal(tickets.redeem(tried.ticket, 'b'), false);
    assert.equal(tickets.redeem(tried.ticket, 'a'), false);
  });

  it('are 10,000 at most, of which those that are used or expired make room', () => {
    const full = { code: 'limit_reached', message: '10000 tickets have not been used' };
    const first = tickets.issue('a');
    now += 1;
    for (let count = 1; count < 10_000; count++) tickets.issue('a');
    assert.throws(() => tickets.issue('a'), full);
    assert.equal(tickets.redeem(first.ticket, 'a'), true);
    tickets.issue('a');
    assert.throws(() => tickets.issue('a'), full);
    now += 29_999;
    assert.throws(() => tickets.issue('a'), full);
    now += 1;
    for (let count = 0; count < 10_000; count++) tickets.issue('a');
  });
});
