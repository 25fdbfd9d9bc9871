// SPDX-License-Identifier: Apache-2.0
// undici.mjs WORK ITEMS.ndjson OUT.ndjson UPSTREAM CONCURRENCY: the script that a developer writes instead of using a flow tool. It keeps no
// ledger: killed, it has lost everything. WORK: w1 and w3 make a GET an item, w2 a POST.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { Pool } = createRequire(process.env.UNDICI_DIR + '/')('undici');
const [work, itemsFile, outFile, upstream, concurrency] = process.argv.slice(2);
const items = readFileSync(itemsFile, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
const pool = new Pool(upstream, { connections: +concurrency, pipelining: 1 });
const out = new Array(items.length);
let next = 0;

async function get(item) {
  const { statusCode, body } = await pool.request({ path: `/v1/forecast?latitude=${item.lat}&longitude=${item.lon}`, method: 'GET' });
  if (statusCode !== 200) throw new Error(`status ${statusCode}`);
  const r = await body.json();
  return { ...item, grid_lat: r.latitude, grid_lon: r.longitude, temperature: r.current.temperature_2m, wind: r.current.wind_speed_10m };
}

async function post(item) {
  const { statusCode, body } = await pool.request({
    path: '/v1/records', method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: item.city, latitude: item.lat, longitude: item.lon }),
  });
  if (statusCode !== 201) throw new Error(`status ${statusCode}`);
  return { ...item, record_id: (await body.json()).id };
}

async function worker() {
  while (next < items.length) {
    const i = next++;
    out[i] = await (work === 'w2' ? post : get)(items[i]);
  }
}

await Promise.all(Array.from({ length: +concurrency }, worker));
writeFileSync(outFile, out.map((o) => JSON.stringify(o) + '\n').join(''));
await pool.close();
