// postgres.js, which prepares what it is given; it sends several questions over one connection without waiting.
import process from 'node:process';
import postgres from 'postgres';
import { connections, readAllTheTime, sql } from './pool_read.mjs';

const url = new URL(process.env.DATABASE_URL.replace('postgresql:///', 'postgresql://localhost/'));
const client = postgres({
  path: `${url.searchParams.get('host')}/.s.PGSQL.${url.searchParams.get('port')}`,
  database: url.pathname.slice(1),
  user: url.searchParams.get('user'),
  password: url.searchParams.get('password'),
  max: connections,
  prepare: true,
});

await readAllTheTime(async (number) => (await client.unsafe(sql, [number], { prepare: true }).values())[0][0]);
await client.end();
