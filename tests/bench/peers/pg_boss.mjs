// pg-boss: several workers, each with a batch in hand whose jobs are sent side by side and completed together.
import { PgBoss } from 'pg-boss';
import { batches, deliver, lanes, lead, retries } from './delivery.mjs';

const queue = 'send';
const workers = 4;
const batchSize = 250;
const boss = new PgBoss({ connectionString: process.env.DATABASE_URL, max: 10, supervise: false, schedule: false });
boss.on('error', (error) => console.error(error.message));

/** At most `most` at once; a job that fails is told apart from the others of its batch. */
async function deliverAll(jobs, most) {
  const results = [];
  const rest = jobs.values();
  const lane = async () => {
    for (const job of rest) {
      try {
        await deliver(job.data);
        results.push({ id: job.id, status: 'completed' });
      } catch (error) {
        results.push({ id: job.id, status: 'failed', output: { message: error.message } });
      }
    }
  };
  await Promise.all(Array.from({ length: most }, lane));
  return results;
}

await lead({
  async fill() {
    await boss.start();
    await boss.createQueue(queue);
    for (const batch of batches(5_000)) {
      await boss.insert(
        queue,
        batch.map((data) => ({ data, retryLimit: retries, retryDelay: 2, retryBackoff: true })),
      );
    }
    await boss.getDb().executeSql('VACUUM ANALYZE');
    await boss.stop({ graceful: false });
  },
  prepare: () => boss.start(),
  async work() {
    await boss.work(
      queue,
      { batchSize, localConcurrency: workers, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true, perJobResults: true },
      (jobs) => deliverAll(jobs, Math.max(1, lanes / workers)),
    );
    return {
      left: async () =>
        (await boss.getDb().executeSql(
          "SELECT EXISTS (SELECT FROM pgboss.job WHERE name = 'send' AND state < 'completed')::int AS left",
        )).rows[0].left,
      stop: () => boss.stop({ graceful: true }),
    };
  },
});
