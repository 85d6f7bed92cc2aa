/** CDR of `std_msgs/msg/String`. */
export function textCdr(content: string): Buffer {
  const bytes = Buffer.from(`${content}\0`);
  const cdr = Buffer.alloc(8 + bytes.length);
  cdr[1] = 1;
  cdr.writeUInt32LE(bytes.length, 4);
  bytes.copy(cdr, 8);
  return cdr;
}

export const textOf = (cdr: Buffer): string => cdr.toString('utf8', 8, cdr.length - 1);
