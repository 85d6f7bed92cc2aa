import assert from 'node:assert/strict';
import { GraphListeners } from '../../src/ros/graph-listeners';

describe('GraphListeners', () => {
  it('tell those of the names that changed, once each, and those of everything', () => {
    const listeners = new GraphListeners();
    const told: string[] = [];
    listeners.add(() => told.push('all'));
    const stop = listeners.add(() => told.push('/a'), '/a');
    listeners.add(() => told.push('/b'), '/b');
    listeners.tell(['/a']);
    listeners.tell();
    listeners.tell(new Set(['/b', '/a', '/c']));
    assert.deepEqual(told.splice(0), ['/a', 'all', 'all', '/b', '/a', 'all']);
    stop();
    listeners.tell(['/a', '/b']);
    assert.deepEqual(told.splice(0), ['/b', 'all']);
    listeners.clear();
    listeners.tell(['/b']);
    assert.deepEqual(told, []);
  });

  it('meet what is added while they are told the next time', () => {
    const listeners = new GraphListeners();
    let told = 0;
    listeners.add(() => listeners.add(() => told++, '/a'), '/a');
    listeners.tell(['/a']);
    assert.equal(told, 0);
    listeners.tell(['/a']);
    assert.equal(told, 1);
  });
});
