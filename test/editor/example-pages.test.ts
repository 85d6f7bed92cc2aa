import { strict as assert } from 'node:assert';
import type { Page } from 'playwright-core';
import { RosPeer } from '../ros/bridge-fixture';
import type { FlowNode } from './editor-page';
import { inEachEditor, nodeOf, readFlow, TEST_DOMAIN } from './editor-session';

interface Twist {
  linear: { x: number };
  angular: { z: number };
}

// What runs in the page sees its globals.
declare const document: {
  querySelector(selector: string): { getContext(kind: '2d'): CanvasContext } | null;
};
interface CanvasContext {
  getImageData(x: number, y: number, width: number, height: number): { data: ArrayLike<number> };
}

/** A PNG of one pixel, in base64. */
const RED_PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';

inEachEditor('the page of an example', (session) => {
  const problems: string[] = [];
  let page: Page | undefined;
  afterEach(async () => {
    await page?.close();
    assert.deepEqual(problems.splice(0), [], 'the page reported errors');
  });

  /** Deploys the example and opens its page, as a user does who has nothing but Node-RED. */
  async function open(
    title: string,
    path: string,
    change: (flow: FlowNode[]) => void = () => {},
  ): Promise<Page> {
    const flow = await readFlow(`examples/${title}.json`);
    change(flow);
    await session.editor.importFlow(flow);
    await session.editor.deploy();
    page = await session.editor.page.context().newPage();
    page.on('pageerror', (error) => problems.push(error.message));
    // The flow may still be starting.
    while ((await page.goto(session.nodeRed.url + path))?.status() !== 200) await page.waitForTimeout(50);
    return page;
  }

  it('drives the turtle, and ROS nodes hear the commands', async () => {
    const robot = await RosPeer.start(TEST_DOMAIN);
    try {
      const opened = await open('ROS 2 teleoperation', '/ros/turtle');
      await robot.listen('/turtle1/cmd_vel', 'geometry_msgs/msg/Twist');
      const pose = opened.locator('#pose');
      await pose.filter({ hasText: 'x 5.54 m, y 5.54 m, heading 0°, 0.0 m/s' }).waitFor();
      await opened.keyboard.down('ArrowUp');
      await pose.filter({ hasText: /x ([6-9]|1\d)\.\d\d m, y 5\.54 m, heading 0°, 2\.0 m\/s/ }).waitFor();
      await opened.keyboard.up('ArrowUp');
      await pose.filter({ hasText: '0.0 m/s' }).waitFor();
      await opened.locator('#ArrowLeft').dispatchEvent('pointerdown');
      await pose.filter({ hasText: /heading [1-9]\d*°/ }).waitFor();
      await opened.locator('#ArrowLeft').dispatchEvent('pointerup');
      await robot.until(() => {
        const commands = robot.heard.map((text) => JSON.parse(text) as Twist);
        const [first, last] = [commands[0], commands.at(-1)];
        const turned = commands.some(({ linear, angular }) => linear.x === 0 && angular.z === 2);
        return first?.linear.x === 2 && turned && last?.angular.z === 0;
      });
    } finally {
      await robot.stop();
    }
  });

  it('shows the sensors, and what the bridge says', async () => {
    const opened = await open('ROS 2 sensor dashboard', '/ros/sensors');
    const shown = (id: string, text: RegExp) => opened.locator(`#${id}`).filter({ hasText: text }).waitFor();
    await shown('temperature', /live.*\d\d\.\d °C/s);
    await shown('battery', /\d+ %.*1\d\.\d V/s);
    await shown('imu', /roll -?\d+°, pitch 0°/);
    await shown('scan', /\d\.\d\d m.*nearest of 180 beams/s);
    await shown('bridge', /1 domain · 0 ROS nodes · 4 routes · [1-9]\d* msg\/s/);
    // The latest values are there for who comes later.
    await opened.reload();
    await shown('battery', /\d+ %/);
  });

  it('shows the pictures of the camera, some of those that there are', async () => {
    const opened = await open('ROS 2 camera image', '/ros/camera');
    await opened
      .locator('#text')
      .filter({ hasText: /160 × 120, rgb8, [1-9]\d? pictures per second/ })
      .waitFor();
    const corner = await opened.evaluate(() => [
      ...Array.from(document.querySelector('canvas')?.getContext('2d').getImageData(0, 0, 1, 1).data ?? []),
    ]);
    assert.deepEqual(corner, [230, 230, 230, 255]);
  });

  it('shows compressed pictures, where the route is changed as the comment says', async () => {
    const opened = await open('ROS 2 camera image', '/ros/camera', (flow) => {
      const [route] = nodeOf(flow, 'ros-bridge', 'camera').routes as [{ rosName: string; type: string }];
      route.rosName = '/camera/image_raw/compressed';
      route.type = 'sensor_msgs/msg/CompressedImage';
    });
    const robot = await RosPeer.start(TEST_DOMAIN);
    let timer: NodeJS.Timeout | undefined;
    try {
      const { publish } = await robot.publisher(
        '/camera/image_raw/compressed',
        'sensor_msgs/msg/CompressedImage',
      );
      // As a camera does: the page may be busy with another picture.
      timer = setInterval(() => publish({ format: 'png', data: RED_PIXEL }), 50);
      await opened.locator('#text').filter({ hasText: '1 × 1, png' }).waitFor();
    } finally {
      clearInterval(timer);
      await robot.stop();
    }
  });
});
