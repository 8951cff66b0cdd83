// BullMQ: the next job is fetched by the script that finishes the last one. Redis writes each change to its log and
// waits for the disk, the most it can promise.
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { batches, deliver, lanes, lead, retries } from './delivery.mjs';

const url = process.env.REDIS_URL;
const connection = () => new Redis(url, { maxRetriesPerRequest: null });
const name = 'send';

await lead({
  async fill() {
    const redis = connection();
    await redis.flushall();
    await redis.config('SET', 'maxmemory', '0');
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    await redis.config('SET', 'appendfsync', 'always');
    await redis.config('SET', 'appendonly', 'yes');
    const queue = new Queue(name, { connection: redis });
    for (const batch of batches(5_000)) {
      await queue.addBulk(
        batch.map((data) => ({
          name,
          data,
          opts: {
            jobId: data.key.replaceAll(':', '.'),
            attempts: retries + 1,
            backoff: { type: 'exponential', delay: 2000 },
            removeOnComplete: true,
          },
        })),
      );
    }
    let rewriting = true;
    while (rewriting) rewriting = /aof_rewrite_in_progress:1/.test(await redis.info('persistence'));
  },
  async work() {
    const queue = new Queue(name, { connection: connection() });
    const worker = new Worker(name, (job) => deliver(job.data), { connection: connection(), concurrency: lanes });
    worker.on('error', (error) => console.error(error.message));
    return {
      left: async () => {
        const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized');
        return Object.values(counts).reduce((sum, count) => sum + count, 0);
      },
      stop: () => worker.close(),
    };
  },
});
