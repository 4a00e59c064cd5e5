-- Wide text: support mails with signatures, canned answers and quoted replies.
CREATE TABLE tickets (
    id int PRIMARY KEY,
    customer_id int NOT NULL,
    agent_id int NOT NULL,
    subject text NOT NULL,
    status text NOT NULL,
    priority smallint NOT NULL,
    opened_at timestamptz NOT NULL,
    tags text[] NOT NULL
);
INSERT INTO tickets
SELECT n, gen.zipf(n, 201, 60000 * :scale), gen.upto(n, 202, 120), string_agg(p.phrase, ' ' ORDER BY k),
       (ARRAY['closed', 'closed', 'closed', 'open', 'waiting'])[gen.zipf(n, 203, 5)], gen.zipf(n, 204, 5),
       '2021-01-01 00:00+00'::timestamptz + n * interval '23 minutes' + gen.u(n, 205) * interval '20 minutes',
       (ARRAY['{}', '{billing}', '{delivery,late}', '{login}', '{bug,app}', '{refund}'])[gen.zipf(n, 206, 6)]::text[]
FROM generate_series(1, 80000 * :scale) AS n
CROSS JOIN LATERAL generate_series(1, 2 + (gen.u(n, 207) * 2)::int) AS k
JOIN gen.phrases p ON p.rank = gen.zipf(n * 8 + k, 208, 240000)
GROUP BY n
ORDER BY n;

-- What the author wrote: phrases with punctuation, a capital after a full stop.
CREATE TABLE gen.written AS
SELECT n, greatest(1, (n / 5)::int - gen.zipf(n, 211, 3000)) AS ticket, gen.u(n, 212) < 0.5 AS by_agent,
       string_agg(CASE WHEN k = 1 OR gen.u(n * 256 + k - 1, 214) < 0.16
                       THEN upper(left(p.phrase, 1)) || substr(p.phrase, 2) ELSE p.phrase END
                  || CASE WHEN gen.u(n * 256 + k, 214) < 0.03 THEN E'.\n\n'
                          WHEN gen.u(n * 256 + k, 214) < 0.16 THEN '. '
                          WHEN gen.u(n * 256 + k, 214) < 0.24 THEN ', ' ELSE ' ' END, '' ORDER BY k) AS words
FROM generate_series(1::bigint, 400000 * :scale) AS n
CROSS JOIN LATERAL generate_series(1, 4 + gen.zipf(n, 213, 90)) AS k
JOIN gen.phrases p ON p.rank = gen.zipf(n * 256 + k, 215, 240000)
GROUP BY n;

CREATE TABLE messages (
    id bigint PRIMARY KEY,
    ticket_id int NOT NULL,
    agent_id int,
    message_id text NOT NULL,
    sent_at timestamptz NOT NULL,
    body text NOT NULL
);
INSERT INTO messages
SELECT w.n, w.ticket, CASE WHEN by_agent THEN t.agent_id END,
       format('<%s@mail%s.example>', md5(w.n::text), gen.upto(w.n, 221, 40)),
       '2021-01-01 00:00+00'::timestamptz + w.n * interval '4 minutes 31 seconds' + gen.u(w.n, 222) * interval '4 minutes',
       CASE WHEN by_agent THEN 'Dear ' || c.name || E',\n\n' ELSE E'Hello,\n\n' END
       || CASE WHEN by_agent AND gen.u(w.n, 223) < 0.2
               THEN format(E'thank you for your message about order %s. We have looked into it and can confirm that your parcel was handed over to the carrier on 2023-%s-%s. '
                           'You can follow it with the tracking number %s at any time. If it does not arrive within five working days, please answer to this mail and we will send a replacement or refund the amount of EUR %s.',
                           1000000 + gen.upto(w.n, 224, 900000), 10 + gen.upto(w.n, 225, 2), 10 + gen.upto(w.n, 226, 18),
                           upper(left(md5(w.n::text || 'track'), 16)), round(gen.upto(w.n, 227, 90000) / 100.0, 2))
               ELSE w.words END
       || CASE WHEN by_agent THEN a.signature ELSE E'\n\n' || c.name END
       || CASE WHEN gen.u(w.n, 228) < 0.35 AND w.earlier IS NOT NULL
               THEN E'\n\nOn an earlier day somebody wrote:\n> ' || replace(w.earlier, E'\n', E'\n> ') ELSE '' END
FROM (SELECT *, lag(words) OVER (PARTITION BY ticket ORDER BY n) AS earlier FROM gen.written) w
JOIN tickets t ON t.id = w.ticket
JOIN customers c ON c.id = t.customer_id
JOIN agents a ON a.id = t.agent_id
ORDER BY w.n;

CREATE INDEX messages_of_ticket ON messages (ticket_id, sent_at);
CREATE INDEX messages_sent ON messages (sent_at);
CREATE UNIQUE INDEX messages_message_id ON messages (message_id);
CREATE INDEX messages_search ON messages USING gin (to_tsvector('simple', left(body, 200)));
CREATE INDEX tickets_of_customer ON tickets (customer_id, opened_at DESC);
CREATE INDEX tickets_open ON tickets (agent_id, priority) WHERE status <> 'closed';
CREATE INDEX tickets_tags ON tickets USING gin (tags);
