-- Documents: what a web shop notes about its visitors.
CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at timestamptz NOT NULL,
    customer_id int,
    kind text NOT NULL,
    payload jsonb NOT NULL
);
INSERT INTO events (happened_at, customer_id, kind, payload)
SELECT '2024-01-01 00:00+00'::timestamptz + n * interval '29 seconds' + gen.u(n, 301) * interval '25 seconds',
       CASE WHEN gen.u(n, 302) < 0.6 THEN gen.zipf(n, 303, 60000 * :scale) END, k.kind,
       jsonb_strip_nulls(jsonb_build_object(
           'path', CASE k.kind WHEN 'search' THEN '/search?q=' || replace(p.phrase, ' ', '+')
                               WHEN 'view' THEN '/products/' || gen.zipf(n, 304, 8000)
                               ELSE '/basket/' || left(md5(n::text || 'b'), 12) END,
           'session', md5((n / 7 + gen.upto(n, 305, 40))::text), 'request_id', gen_id.id,
           'ip', format('%s.%s.%s.%s', gen.upto(n, 306, 223), gen.upto(n, 307, 255), gen.upto(n, 308, 255), gen.upto(n, 309, 254)),
           'user_agent', b.browser, 'duration_ms', gen.zipf(n, 310, 5000), 'status', (ARRAY[200, 200, 302, 404, 500])[gen.zipf(n, 311, 5)],
           'referrer', CASE WHEN gen.u(n, 312) < 0.5 THEN 'https://www.shop.example/category/' || gen.zipf(n, 313, 60) END,
           'product', CASE WHEN k.kind <> 'search' THEN jsonb_build_object(
               'id', gen.zipf(n, 304, 8000), 'price', round(gen.upto(n, 314, 50000) / 100.0, 2), 'quantity', gen.zipf(n, 315, 6)) END))
FROM generate_series(1::bigint, 450000 * :scale) AS n
CROSS JOIN LATERAL (SELECT (ARRAY['view', 'search', 'add_to_basket', 'checkout'])[gen.zipf(n, 316, 4)] AS kind) k
CROSS JOIN LATERAL (SELECT md5(n::text || 'request')::uuid AS id) gen_id
JOIN gen.agents_browser b ON b.rank = gen.zipf(n, 317, 400)
JOIN gen.phrases p ON p.rank = gen.zipf(n, 318, 240000)
ORDER BY n;

CREATE INDEX events_when ON events USING brin (happened_at);
CREATE INDEX events_of_customer ON events (customer_id, happened_at);
CREATE INDEX events_session ON events ((payload ->> 'session'));
CREATE INDEX events_product ON events USING gin ((payload -> 'product') jsonb_path_ops);
