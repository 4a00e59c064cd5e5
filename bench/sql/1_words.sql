-- Words, phrases and small pools from which the rows are drawn. Everything follows from hashes of row
-- numbers, so that every run on every version makes the same database.
CREATE SCHEMA gen;

-- A number in [0, 1) that depends on nothing but a row and a purpose.
CREATE FUNCTION gen.u(n bigint, purpose bigint) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (hashint8extended(n, purpose) & x'7fffffff'::bigint) / 2147483648.0;

-- A rank from 1 to `size` with the frequencies of Zipf's law: the logarithm of the rank is uniform.
CREATE FUNCTION gen.zipf(n bigint, purpose bigint, size int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN floor(exp(gen.u(n, purpose) * ln(size + 1)))::int;

CREATE FUNCTION gen.upto(n bigint, purpose bigint, size int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 1 + floor(gen.u(n, purpose) * size)::int;

CREATE TABLE gen.words AS
WITH common AS (
    SELECT rank::int, word
    FROM unnest(string_to_array(
        'the to and of a in is I for that it you on with this we have be are not your my as was at if or can our '
        'from but will when an please has do so any by there all they been would what no which out up how about '
        'just also were more get one time need after me it''s order now then see could thank only still account '
        'some their us does did them issue new email back help know like should before other since than try let '
        'use work over problem error these same team day page today got send sent even first able look again '
        'because here last into way want product two sure found file set made make customer using number best '
        'change don''t regards thanks data per week version support service already check update user list where',
        ' ')) WITH ORDINALITY AS t(word, rank)),
syllables AS (
    SELECT string_to_array(
        'ra ti on al ment ver con pro ing er es de re in com ta ly ness un dis a ble or ter mi na sta ca lo pre '
        'ex per si vi tor est ma li ent sub tra de co ni age ant fi ous po me ci tu gra ser ple ar is op ul im ven '
        'cle dro fra hol jun kit', ' ') AS s),
made AS (
    SELECT rank, (SELECT string_agg(s[gen.upto(rank * 8 + k, 1, array_length(s, 1))], '' ORDER BY k)
                  FROM generate_series(1, 2 + (gen.u(rank, 2) * 2.4)::int) AS k) AS word
    FROM generate_series((SELECT count(*) + 1 FROM common), 30000) AS rank, syllables)
SELECT rank::int, word FROM common UNION ALL SELECT rank::int, word FROM made;
CREATE UNIQUE INDEX ON gen.words (rank);
ANALYZE gen.words;

-- Single words first, then expressions of two to six words: what people write repeats itself in small pieces.
CREATE TABLE gen.phrases AS
SELECT p AS rank, string_agg(w.word, ' ' ORDER BY k) AS phrase
FROM generate_series(1, 240000) AS p
CROSS JOIN LATERAL generate_series(1, 1 + floor(gen.u(p, 3) * 5)::int) AS k
JOIN gen.words w ON w.rank = gen.zipf(p * 8 + k, 4, 30000)
GROUP BY p;
ANALYZE gen.phrases;

CREATE TABLE gen.agents_browser AS
SELECT n AS rank, CASE WHEN gen.u(n, 5) < 0.4
    THEN format('Mozilla/5.0 (iPhone; CPU iPhone OS %s_%s like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/%s.%s Mobile/15E148 Safari/604.1',
                13 + gen.upto(n, 6, 5), gen.upto(n, 7, 7), 13 + gen.upto(n, 6, 5), gen.upto(n, 7, 7))
    ELSE format('Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%s.0.%s.%s Safari/537.36',
                (ARRAY['Windows NT 10.0; Win64; x64', 'X11; Linux x86_64', 'Macintosh; Intel Mac OS X 10_15_7'])[gen.upto(n, 8, 3)],
                90 + gen.upto(n, 9, 40), 4000 + gen.upto(n, 10, 2000), gen.upto(n, 11, 200)) END AS browser
FROM generate_series(1, 400) AS n;

CREATE TABLE gen.names AS
SELECT n AS rank, initcap((SELECT word FROM gen.words WHERE rank = 200 + gen.upto(n, 12, 3000))) AS name
FROM generate_series(1, 2000) AS n;
CREATE UNIQUE INDEX ON gen.names (rank);
ANALYZE gen.names;
