// node-postgres' Pool, with a prepared statement.
import process from 'node:process';
import pg from 'pg';
import { connections, readAllTheTime, sql } from './pool_read.mjs';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: connections });

await readAllTheTime(async (number) => {
  const { rows } = await pool.query({ name: 'read_user', text: sql, values: [number], rowMode: 'array' });
  return rows[0][0];
});
await pool.end();
