import { Mosquitto } from '../client/mosquitto';
import { describeChangeovers } from './changeovers';

describeChangeovers({
  name: 'over RTPS',
  startBroker: (test) => Mosquitto.start(test),
  lower: {},
  higher: {},
});
