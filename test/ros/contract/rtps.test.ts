import { RtpsBackend } from '../../../src/ros/rtps-backend';
import { describeContract } from './contract';
import { ddsPeers } from './peers';

describeContract({
  name: 'rtps',
  backend: () => new RtpsBackend(),
  interfaces: ['127.0.0.1'],
  peers: [ddsPeers('cyclone'), ddsPeers('fast')],
});
