// What every peer does alike: the same people, the same request to the same sink, and one life, led by signals.
// `fill` puts the jobs in and ends. `work` says "ready", begins at SIGUSR2, and after the next SIGUSR2 says "recorded"
// when nothing is left to do in its own store; SIGTERM ends it.
import process from 'node:process';
import { Pool } from 'undici';

export const messages = Number(process.env.MESSAGES);
export const lanes = Number(process.env.LANES);
export const retries = 5;

const sink = new Pool(process.env.SINK_URL, { connections: lanes, pipelining: 1 });

/** Batches of what a job holds, as [first, payloads]. */
export function* batches(size) {
  for (let first = 1; first <= messages; first += size) {
    const count = Math.min(size, messages - first + 1);
    yield Array.from({ length: count }, (_, i) => ({
      key: `user-${first + i}:BIRTHDAY:2027-03-15`,
      email: `recipient${first + i}@example.com`,
      message: "Hey, Ada Lovelace it's your birthday",
    }));
  }
}

/** Throws unless the provider has taken it, so that the job is tried again. */
export async function deliver({ key, email, message }) {
  const { statusCode, body } = await sink.request({
    method: 'POST',
    path: '/send-email',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ email, message }),
    headersTimeout: 10_000,
    bodyTimeout: 10_000,
  });
  await body.dump();
  if (statusCode !== 200) throw new Error(`the provider answered ${statusCode}`);
}

const signal = (name) => new Promise((resolve) => process.once(name, resolve));

/** `fill()`; `work()` gives `left()`, the number of jobs not finished, and `stop()`. */
export async function lead({ fill, prepare, work }) {
  if (process.argv[2] === 'fill') {
    await fill();
    process.exit(0);
  }
  await prepare?.();
  setInterval(() => {}, 60_000); // waiting for a signal alone keeps no process alive
  const begin = signal('SIGUSR2');
  console.log('ready');
  await begin;
  const arrived = signal('SIGUSR2');
  const running = await work();
  const end = signal('SIGTERM');
  await arrived;
  while ((await running.left()) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  console.log('recorded');
  await end;
  await running.stop();
  process.exit(0);
}
