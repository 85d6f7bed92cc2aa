import { readdirSync, readFileSync } from 'node:fs';

/** Of /proc, which counts in hundredths of a second on every Linux that Node runs on. */
const TICK_MS = 10;
const PAGE_BYTES = 4096;

export interface ProcessorUse {
  /** Processor time of all threads, ms. */
  used: number;
  /** Time that passed, ms. */
  elapsed: number;
}

/** Starts to measure a process; the function returned says what it has used since. */
export function processorUse(pid: number): () => ProcessorUse {
  const used = processorTime(pid);
  const start = performance.now();
  return () => ({
    // A tick at least, to divide by.
    used: Math.max(processorTime(pid) - used, TICK_MS),
    elapsed: performance.now() - start,
  });
}

/** Processor time that a process has used in all its threads since its start, ms. */
export function processorTime(pid: number): number {
  return timeIn(`/proc/${pid}/stat`);
}

/** The same of each of its threads but the main one, by their numbers. */
export function threadTimes(pid: number): Map<number, number> {
  const threads = readdirSync(`/proc/${pid}/task`).map(Number);
  const others = threads.filter((thread) => thread !== pid);
  return new Map(others.map((thread) => [thread, threadTime(pid, thread)]));
}

/** The same of one thread, by the number that the system has for it. */
export function threadTime(pid: number, threadId: number): number {
  return timeIn(`/proc/${pid}/task/${threadId}/stat`);
}

/** The system's number of the thread that something starts in this process. */
export async function firstThreadOf(start: () => Promise<unknown>): Promise<number> {
  const threadIds = () => readdirSync('/proc/self/task').map(Number);
  const before = Math.max(...threadIds());
  await start();
  // Threads are numbered in the order they begin, and a worker comes before any that it makes.
  return Math.min(...threadIds().filter((id) => id > before));
}

function timeIn(path: string): number {
  const fields = readFileSync(path, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** What a process holds in memory, bytes. */
export function residentMemory(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
}
