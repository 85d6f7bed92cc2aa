import type { MessageCodec } from './message-codec';

/** The type of `/tf` and `/tf_static`: a list of transforms, each of one `child_frame_id`. */
export const TRANSFORMS_TYPE = 'tf2_msgs/msg/TFMessage';

/** Frames that are kept, and characters of all their names; those that were heard longest ago are forgotten beyond. */
const MAX_FRAMES = 4096;
const MAX_CHARACTERS = 1024 * 1024;

interface Transform {
  header: { frame_id: string };
  child_frame_id: string;
}

/**
 * What all publishers of static transforms have said: each sends its own frames only, and one stored message can stand
 * for all of them only as their union. The newest transform of a frame counts, as in tf2's buffer.
 */
export class TransformUnion {
  readonly #codec: MessageCodec;
  /** By child frame. */
  readonly #transforms = new Map<string, Transform>();
  #characters = 0;

  /** @param codec of `TRANSFORMS_TYPE` */
  constructor(codec: MessageCodec) {
    this.#codec = codec;
  }

  clear(): void {
    this.#transforms.clear();
    this.#characters = 0;
  }

  /**
   * Adds a message, and gives the CDR of all that were added.
   * @throws CdrError
   */
  add(cdr: Buffer): Buffer {
    const { transforms } = JSON.parse(this.#codec.decodeToJson(cdr)) as { transforms: Transform[] };
    for (const transform of transforms) {
      this.#forget(transform.child_frame_id);
      this.#transforms.set(transform.child_frame_id, transform);
      this.#characters += charactersOf(transform);
    }
    for (const frame of this.#transforms.keys()) {
      if (this.#transforms.size <= MAX_FRAMES && this.#characters <= MAX_CHARACTERS) break;
      this.#forget(frame);
    }
    return this.#codec.encode({ transforms: [...this.#transforms.values()] });
  }

  #forget(frame: string): void {
    const transform = this.#transforms.get(frame);
    if (transform === undefined) return;
    this.#transforms.delete(frame);
    this.#characters -= charactersOf(transform);
  }
}

function charactersOf({ header, child_frame_id }: Transform): number {
  return header.frame_id.length + child_frame_id.length;
}
