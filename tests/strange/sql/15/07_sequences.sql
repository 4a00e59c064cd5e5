-- Sequences of every kind and in every position.

CREATE SEQUENCE strange.never_called;
CREATE SEQUENCE strange.started_elsewhere START 50 MINVALUE 10 MAXVALUE 100;
CREATE SEQUENCE strange.descending INCREMENT -3 START -1;
CREATE SEQUENCE strange.cycling MINVALUE 1 MAXVALUE 3 CYCLE;
CREATE SEQUENCE strange.at_maximum MAXVALUE 2;
CREATE SEQUENCE strange.cached CACHE 50;
CREATE SEQUENCE strange.small AS smallint INCREMENT 7;
CREATE SEQUENCE strange.whole AS integer MINVALUE -2147483648 START -2147483648;
CREATE SEQUENCE strange.set_not_called;
CREATE SEQUENCE strange.at_the_end_of_bigint START 9223372036854775806;
CREATE UNLOGGED SEQUENCE strange.unlogged_sequence;
CREATE SEQUENCE strange."odd ""sequence""; -- näme" INCREMENT 1000000000000;
CREATE SEQUENCE strange.owned_by_column OWNED BY strange.defaults.i;
COMMENT ON SEQUENCE strange.small IS 'counts in sevens';
ALTER SEQUENCE strange.small OWNER TO strange_owner;
SELECT nextval('strange.descending') FROM generate_series(1, 4);
SELECT nextval('strange.cycling') FROM generate_series(1, 5);
SELECT nextval('strange.at_maximum') FROM generate_series(1, 2);
SELECT nextval('strange.cached');
SELECT nextval('strange.small') FROM generate_series(1, 9);
SELECT nextval('strange.whole');
SELECT setval('strange.set_not_called', 42, false);
SELECT nextval('strange.at_the_end_of_bigint') FROM generate_series(1, 2);
SELECT nextval('strange.unlogged_sequence') FROM generate_series(1, 7);
SELECT nextval('strange."odd ""sequence""; -- näme"') FROM generate_series(1, 3);
