const TYPE_HASH = /(?:^|;)typehash=(RIHS01_[0-9a-f]{64});/;

/**
 * What ROS 2 puts into the user data of a publisher or subscription in discovery: the hash of its type. Source:
 * rmw_dds_common, `encode_type_hash_for_user_data_qos`.
 */
export function encodeTypeHash(hash: string): Buffer {
  return Buffer.from(`typehash=${hash};`);
}

/** The type hash in an endpoint's user data; ROS 2 has it since Iron. */
export function typeHashIn(userData: Buffer | undefined): string | undefined {
  return userData && TYPE_HASH.exec(userData.toString('latin1'))?.[1];
}
