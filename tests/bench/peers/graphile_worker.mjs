// graphile-worker: jobs are fetched by hundreds into a local queue, and completed by hundreds.
import pg from 'pg';
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import { batches, deliver, lanes, lead, retries } from './delivery.mjs';

const connectionString = process.env.DATABASE_URL;
const logger = new Logger(() => () => {});
const pool = new pg.Pool({ connectionString, max: 10 });
pool.on('error', (error) => console.error(error.message));
pool.on('connect', (client) => client.on('error', (error) => console.error(error.message)));

await lead({
  async fill() {
    const utils = await makeWorkerUtils({ pgPool: pool, logger });
    await utils.migrate();
    for (const batch of batches(5_000)) {
      await utils.addJobs(
        batch.map((payload) => ({ identifier: 'send', payload, jobKey: payload.key, maxAttempts: retries + 1 })),
      );
    }
    await pool.query('VACUUM ANALYZE');
  },
  async work() {
    const runner = await run({
      pgPool: pool,
      logger,
      noHandleSignals: true,
      taskList: { send: (payload) => deliver(payload) },
      preset: {
        worker: {
          concurrentJobs: lanes,
          maxPoolSize: 10,
          pollInterval: 1000,
          localQueue: { size: 500 },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
    });
    return {
      left: async () =>
        (await pool.query('SELECT EXISTS (SELECT FROM graphile_worker._private_jobs)::int AS left')).rows[0].left,
      stop: () => runner.stop(),
    };
  },
});
