/** The well-known ports of RTPS 9.6.2 with the default parameters: PB 7400, DG 250, PG 2, d0 0, d1 10, d2 1, d3 11. */
const PORT_BASE = 7400;
const DOMAIN_GAIN = 250;
const PARTICIPANT_GAIN = 2;
const METATRAFFIC_UNICAST_OFFSET = 10;
const USER_UNICAST_OFFSET = 11;

/** The highest domain whose ports are below 65536. */
export const MAX_DOMAIN = 232;

export function metatrafficMulticastPort(domain: number): number {
  return PORT_BASE + DOMAIN_GAIN * domain;
}

export function metatrafficUnicastPort(domain: number, participantIndex: number): number {
  return PORT_BASE + DOMAIN_GAIN * domain + METATRAFFIC_UNICAST_OFFSET + PARTICIPANT_GAIN * participantIndex;
}

export function userUnicastPort(domain: number, participantIndex: number): number {
  return PORT_BASE + DOMAIN_GAIN * domain + USER_UNICAST_OFFSET + PARTICIPANT_GAIN * participantIndex;
}

/** The highest index whose user port still lies within the domain's range and below 65536. */
export function maxParticipantIndex(domain: number): number {
  const withinDomain = Math.floor((DOMAIN_GAIN - USER_UNICAST_OFFSET - 1) / PARTICIPANT_GAIN);
  const withinPorts = Math.floor((65535 - userUnicastPort(domain, 0)) / PARTICIPANT_GAIN);
  return Math.min(withinDomain, withinPorts);
}
