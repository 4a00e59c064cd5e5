-- Narrow rows of numbers: order lines and the readings of sensors.
CREATE TABLE orders (
    id int PRIMARY KEY,
    customer_id int NOT NULL,
    placed_at timestamptz NOT NULL,
    status smallint NOT NULL
);
INSERT INTO orders
SELECT n, gen.zipf(n, 401, 60000 * :scale), '2021-01-01 00:00+00'::timestamptz + n * interval '5 minutes 11 seconds',
       gen.zipf(n, 402, 6)
FROM generate_series(1, 300000 * :scale) AS n;

CREATE TABLE order_lines (
    order_id int NOT NULL,
    line smallint NOT NULL,
    product_id int NOT NULL,
    quantity int NOT NULL,
    unit_price numeric(10, 2) NOT NULL,
    PRIMARY KEY (order_id, line)
);
INSERT INTO order_lines
SELECT o.id, k, p.id, gen.zipf(o.id * 8 + k, 411, 12), p.price
FROM orders o
CROSS JOIN LATERAL generate_series(1, gen.zipf(o.id, 412, 8)) AS k
JOIN products p ON p.id = gen.zipf(o.id::bigint * 8 + k, 413, 8000)
ORDER BY o.id, k;

CREATE TABLE readings (
    sensor_id int NOT NULL,
    taken_at timestamptz NOT NULL,
    value double precision NOT NULL,
    humidity real,
    quality smallint NOT NULL
);
INSERT INTO readings
SELECT 1 + n % 1500, '2024-06-01 00:00+00'::timestamptz + (n / 1500) * interval '1 minute',
       round((15 + 8 * sin(n / 300000.0 + n % 1500) + gen.u(n, 421))::numeric, 2),
       CASE WHEN gen.u(n, 422) < 0.9 THEN round((40 + 30 * gen.u(n, 423))::numeric, 1) END, (gen.u(n, 424) * 1.05)::int
FROM generate_series(1::bigint, 2000000 * :scale) AS n;

CREATE INDEX orders_of_customer ON orders (customer_id, placed_at DESC);
CREATE INDEX order_lines_product ON order_lines (product_id);
CREATE INDEX readings_of_sensor ON readings (sensor_id, taken_at);
