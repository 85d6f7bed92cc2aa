/**
 * What ROS 2 puts into the user data of an endpoint in discovery, `key=value;` each: `typehash`, the hash of its type
 * (since Iron); `clientid` or `serviceid`, which the two endpoints of a service client or server share (Cyclone DDS).
 * Source: rmw_dds_common, `encode_type_hash_for_user_data_qos`; rmw_cyclonedds_cpp.
 */
export interface EndpointUserData {
  /** `RIHS01_…` */
  typehash: string;
  clientid?: string;
  serviceid?: string;
}

export function encodeUserData(values: EndpointUserData): Buffer {
  const entries = Object.entries(values).map(([key, value]) => `${key}=${value};`);
  return Buffer.from(entries.join(''));
}

/** A value in an endpoint's user data. */
export function userDataValue(userData: Buffer | undefined, key: keyof EndpointUserData): string | undefined {
  const entries = userData?.toString('latin1').split(';') ?? [];
  return entries.find((entry) => entry.startsWith(`${key}=`))?.slice(key.length + 1);
}

const TYPE_HASH = /^RIHS01_[0-9a-f]{64}$/;

/** The type hash in an endpoint's user data. */
export function typeHashIn(userData: Buffer | undefined): string | undefined {
  const hash = userDataValue(userData, 'typehash');
  return hash !== undefined && TYPE_HASH.test(hash) ? hash : undefined;
}
