-- Publications and subscriptions; the subscriptions have never reached anybody.

CREATE PUBLICATION strange_all FOR ALL TABLES WITH (publish = 'insert, truncate');
CREATE PUBLICATION "strange ""some""; --" FOR TABLE strange.typed, strange.indexed WHERE (i > 5 AND t IS NOT NULL), TABLES IN SCHEMA "схема"
    WITH (publish = 'insert', publish_via_partition_root = true);
CREATE PUBLICATION strange_columns FOR TABLE strange.hens (id, egg) WHERE (id > 5), TABLE ONLY strange.parent WITH (publish = 'insert, update');
CREATE PUBLICATION strange_nothing;
ALTER PUBLICATION strange_nothing OWNER TO strange_owner;
COMMENT ON PUBLICATION strange_all IS 'read all about it';

CREATE SUBSCRIPTION strange_subscription CONNECTION 'host=nowhere.invalid dbname=''odd db'' password=secret' PUBLICATION p1, "p ""2"""
    WITH (connect = false, enabled = false, slot_name = NONE, binary = true, streaming = true, synchronous_commit = 'off', disable_on_error = true);
CREATE SUBSCRIPTION "strange ""with slot""" CONNECTION 'host=nowhere.invalid' PUBLICATION p WITH (connect = false, enabled = false, slot_name = 'a_slot_elsewhere', two_phase = true);
COMMENT ON SUBSCRIPTION strange_subscription IS 'never arrived';
