// Callers that ask one question after the other of a pool, and what they saw, as one line of JSON.
import process from 'node:process';

export const connections = Number(process.env.CONNECTIONS);
export const sql = process.env.SQL;

const warmUp = 500;
const most = Number(process.env.MOST);

/** `ask` gets a number and gives the number of its answer. */
export async function readAllTheTime(ask) {
  const begin = performance.now() + warmUp;
  const end = begin + Number(process.env.SECONDS) * 1000;
  const took = [];
  let spent;
  setTimeout(() => (spent = process.cpuUsage()), warmUp);

  const caller = async () => {
    for (let asked = performance.now(); asked < end; ) {
      const number = 1 + Math.floor(Math.random() * most);
      if ((await ask(number)) !== number) throw new Error('an answer to another question');
      const answered = performance.now();
      if (asked >= begin && answered < end) took.push(answered - asked);
      asked = answered;
    }
  };
  await Promise.all(Array.from({ length: Number(process.env.CALLERS) }, caller));

  const { user, system } = process.cpuUsage(spent);
  took.sort((a, b) => a - b);
  const percentile = (rank) => took[Math.floor(rank * (took.length - 1))];
  console.log(
    JSON.stringify({
      per_second: took.length / Number(process.env.SECONDS),
      p50: percentile(0.5),
      p99: percentile(0.99),
      processor: (user + system) / took.length,
    }),
  );
}
