import type { MessageCodec } from './message-codec';

/** The type of `/tf` and `/tf_static`: a list of transforms, each of one `child_frame_id`. */
export const TRANSFORMS_TYPE = 'tf2_msgs/msg/TFMessage';

/** Frames that are kept; the one that was heard longest ago is forgotten beyond. */
const MAX_FRAMES = 4096;

interface Transforms {
  transforms: Array<{ child_frame_id: string }>;
}

/**
 * What all publishers of static transforms have said: each sends its own frames only, and one stored message can stand
 * for all of them only as their union. The newest transform of a frame counts, as in tf2's buffer.
 */
export class TransformUnion {
  readonly #codec: MessageCodec;
  /** By child frame. */
  readonly #transforms = new Map<string, Transforms['transforms'][number]>();

  /** @param codec of `TRANSFORMS_TYPE` */
  constructor(codec: MessageCodec) {
    this.#codec = codec;
  }

  /**
   * Adds a message, and gives the CDR of all that were added.
   * @throws CdrError
   */
  add(cdr: Buffer): Buffer {
    const { transforms } = JSON.parse(this.#codec.decodeToJson(cdr)) as Transforms;
    for (const transform of transforms) {
      this.#transforms.delete(transform.child_frame_id);
      this.#transforms.set(transform.child_frame_id, transform);
    }
    for (const frame of this.#transforms.keys()) {
      if (this.#transforms.size <= MAX_FRAMES) break;
      this.#transforms.delete(frame);
    }
    return this.#codec.encode({ transforms: [...this.#transforms.values()] });
  }
}
