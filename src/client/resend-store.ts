import { Store } from 'mqtt';

/**
 * MQTT.js keeps here what is not acknowledged, and after a reconnect sends it again as it stands. It is a copy that
 * is used for nothing else, so the DUP flag that [MQTT-3.3.1-1] requires, and MQTT.js leaves out, is set in it.
 */
export class ResendStore extends Store {
  override put(...[packet, callback]: Parameters<Store['put']>): this {
    if (packet.cmd === 'publish') packet.dup = true;
    return super.put(packet, callback);
  }

  /** Whether PUBREC has come for this packet identifier: the broker then owns the QoS 2 message [MQTT-4.3.3]. */
  isReleased(messageId: number): boolean {
    let released = false;
    this.get({ messageId }, (_error, packet) => {
      released = packet?.cmd === 'pubrel';
    });
    return released;
  }
}
