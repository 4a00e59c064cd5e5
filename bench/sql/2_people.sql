-- Customers, agents and products: the small tables that the large ones refer to.
CREATE TABLE customers (
    id int PRIMARY KEY,
    email text NOT NULL,
    name text NOT NULL,
    company text,
    city text NOT NULL,
    country char(2) NOT NULL,
    created_at timestamptz NOT NULL,
    settings jsonb NOT NULL
);
INSERT INTO customers
SELECT n, lower(f.name || '.' || l.name || n || '@' || c.name || '.example'), f.name || ' ' || l.name,
       CASE WHEN gen.u(n, 101) < 0.3 THEN c.name || ' GmbH' END, i.name,
       (ARRAY['DE', 'US', 'FR', 'GB', 'NL', 'AT', 'CH', 'ES', 'IT', 'PL', 'SE', 'IN'])[gen.zipf(n, 102, 12)],
       '2019-01-01 00:00+00'::timestamptz + n * interval '37 minutes' + gen.u(n, 103) * interval '30 minutes',
       jsonb_build_object('locale', (ARRAY['de_DE', 'en_US', 'fr_FR', 'en_GB'])[gen.zipf(n, 104, 4)],
                          'newsletter', gen.u(n, 105) < 0.4, 'theme', (ARRAY['light', 'dark'])[gen.upto(n, 106, 2)],
                          'two_factor', gen.u(n, 107) < 0.2, 'page_size', 25 * gen.upto(n, 108, 4))
FROM generate_series(1, 60000 * :scale) AS n
JOIN gen.names f ON f.rank = gen.zipf(n, 109, 2000)
JOIN gen.names l ON l.rank = gen.upto(n, 110, 2000)
JOIN gen.names c ON c.rank = gen.zipf(n, 111, 2000)
JOIN gen.names i ON i.rank = gen.zipf(n, 112, 300)
ORDER BY n;
CREATE UNIQUE INDEX customers_email ON customers (email);
CREATE INDEX customers_place ON customers (country, city);

CREATE TABLE agents (id int PRIMARY KEY, name text NOT NULL, signature text NOT NULL);
INSERT INTO agents
SELECT n, f.name || ' ' || l.name,
       format(E'\n\nKind regards,\n%s %s\nCustomer care, level %s\nTel +49 30 %s-%s | support@shop.example | https://www.shop.example/help\n'
              'Shop Example GmbH, registered at Amtsgericht Charlottenburg HRB %s, managing director: %s',
              f.name, l.name, gen.upto(n, 121, 3), gen.upto(n, 122, 900000), gen.upto(n, 123, 99),
              gen.upto(n, 124, 90000), l.name)
FROM generate_series(1, 120) AS n
JOIN gen.names f ON f.rank = gen.upto(n, 125, 2000)
JOIN gen.names l ON l.rank = gen.upto(n, 126, 2000)
ORDER BY n;

CREATE TABLE products (
    id int PRIMARY KEY,
    sku text NOT NULL UNIQUE,
    name text NOT NULL,
    description text NOT NULL,
    price numeric(10, 2) NOT NULL CHECK (price > 0),
    attributes jsonb NOT NULL
);
INSERT INTO products
SELECT n, format('%s-%s', upper(substr(md5(n::text), 1, 3)), 100000 + n), min(a.name),
       string_agg(p.phrase, ' ' ORDER BY k), (5 + gen.zipf(n, 131, 900) - 0.01)::numeric(10, 2),
       jsonb_build_object('colour', (ARRAY['black', 'white', 'red', 'blue', 'green', 'grey'])[gen.zipf(n, 132, 6)],
                          'weight_g', 50 * gen.zipf(n, 133, 200), 'material', min(a.name))
FROM generate_series(1, 8000) AS n
CROSS JOIN generate_series(1, 25) AS k
JOIN gen.phrases p ON p.rank = gen.zipf(n * 32 + k, 134, 240000)
JOIN gen.names a ON a.rank = gen.zipf(n, 135, 2000)
GROUP BY n
ORDER BY n;
